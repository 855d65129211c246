"""What `make run` runs: the daemon where there are credentials, and where there are none a rehearsal of it."""

import sys

import settings
from worker.__main__ import guarded
from worker.__main__ import main as waybill
from worker.cli.output import say

_REHEARSING = "{missing}: rehearsing against bundled simulators instead. Nothing leaves this machine."
_NO_ACCOUNT = "No credentials in .env or waybill.toml (WAYBILL_LOGISTIC_CLOUD__BASE_URL and __API_KEY)"
_NO_KEY = "There is an address but no key (WAYBILL_LOGISTIC_CLOUD__API_KEY) in .env or waybill.toml"


def main() -> int:
    """Run the main job; the exit status of whatever was run, 2 for settings that are wrong."""
    missing: str | None = None

    def look() -> None:
        nonlocal missing
        found = settings.load()
        if not found.has_credentials:
            missing = _NO_KEY if found.accounts else _NO_ACCOUNT

    wrong = guarded(look)
    if wrong:
        return wrong
    if missing is None:
        return waybill(["run"])
    say(_REHEARSING.format(missing=missing))
    return waybill(["rehearse"])


if __name__ == "__main__":
    sys.exit(main())
