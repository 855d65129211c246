"""What `make run` runs: the daemon where there are credentials, and where there are none a rehearsal of it."""

import sys

import settings
from worker.__main__ import guarded
from worker.__main__ import main as waybill
from worker.cli.output import say

_REHEARSING = (
    "No credentials in .env or waybill.toml (WAYBILL_LOGISTIC_CLOUD__BASE_URL and __API_KEY): rehearsing against "
    "bundled simulators instead. Nothing leaves this machine."
)


def main() -> int:
    """Run the main job; the exit status of whatever was run, 2 for settings that are wrong."""
    has_credentials = False

    def look() -> None:
        nonlocal has_credentials
        has_credentials = settings.load().has_credentials

    wrong = guarded(look)
    if wrong:
        return wrong
    if has_credentials:
        return waybill(["run"])
    say(_REHEARSING)
    return waybill(["rehearse"])


if __name__ == "__main__":
    sys.exit(main())
