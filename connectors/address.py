"""The address of a system: a base URL and paths under it, checked before anything is sent."""

from collections.abc import Mapping
from urllib.parse import SplitResult, quote, urlsplit

from connectors.errors import Misconfigured

_CHECK = "check the setup"


def base_address(system: str, base_url: str) -> str:
    """Return the base URL without a trailing slash; Misconfigured when it is not a plain http(s) address."""
    complaint = _complaint(_split(base_url.strip()))
    if complaint is not None:
        raise Misconfigured(system, _CHECK, f"the base URL {complaint}")
    return base_url.strip().rstrip("/")


def path_to(*parts: str) -> str:
    """Return a path of the given parts, each percent-encoded, so that no value can leave its place."""
    return "".join(f"/{_dots_encoded(quote(part, safe=''))}" for part in parts)


def checked_headers(system: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers, trimmed; Misconfigured names the header (never its value) that HTTP cannot carry."""
    checked = {name: value.strip() for name, value in headers.items()}
    for name, value in checked.items():
        if not value or not value.isascii() or not value.isprintable():
            detail = f"the header {name} must be printable ASCII on one line, and not blank"
            raise Misconfigured(system, _CHECK, detail)
    return checked


def _split(base_url: str) -> SplitResult | None:
    try:
        split = urlsplit(base_url)
        split.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        return None
    return split


def _complaint(split: SplitResult | None) -> str | None:
    if split is None or split.scheme not in {"http", "https"} or not split.hostname:
        return "must look like https://host/path"
    if "@" in split.netloc:
        return "must not carry a user name or password; credentials have settings of their own"
    if split.query or split.fragment:
        return "must not carry a query or a fragment"
    return None


def _dots_encoded(part: str) -> str:
    # "." and ".." alone would be resolved as steps of the path.
    return part.replace(".", "%2E") if part in {".", ".."} else part
