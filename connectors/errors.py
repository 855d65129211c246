"""What can go wrong at a remote system, cut by what to do next.

ConnectorError
├── Transient             again later
│   ├── NotConnected      no connection was made: name resolution, refused, TLS, connect timeout, proxy
│   ├── Interrupted       sent, but the answer is missing or incomplete: look before repeating a write
│   ├── Throttled         429: the budget of requests is spent
│   └── ServerFault       5xx, 408, 425: the server asks for patience
├── Permanent             a person must act
│   ├── Unauthorized      401: the credential is missing, wrong or expired
│   ├── Forbidden         403: the credential lacks a right
│   ├── NotFound          404: absent, not visible, or a wrong base URL
│   ├── Refused           any other 4xx, with the server's own words
│   └── Misconfigured     our own address or header cannot be used
└── UnexpectedAnswer      a foreign shape: redirect, HTML, not JSON, another JSON type
    └── TooLarge          more bytes than any answer to us should have
"""

from typing import ClassVar


class ConnectorError(Exception):
    """A request that did not end as asked; `sentence` is fit for people and holds no secret.

    The detail must have passed through a `Redactor` when it quotes anything foreign.
    `status` is the HTTP status if an answer came; `remedy` says what a person can do about it.
    """

    advice: ClassVar[str] = ""

    def __init__(self, system: str, operation: str, detail: str, *, status: int | None = None) -> None:
        """Keep what is told; all three texts appear in the sentence."""
        super().__init__(system, operation, detail)
        self.system = system
        self.operation = operation
        self.detail = detail
        self.status = status
        self.remedy = self.advice

    @property
    def sentence(self) -> str:
        """Who, what, why and the remedy, on one line."""
        told = f"{self.system}: {self.operation}: {self.detail.rstrip('. ')}."
        return f"{told} {self.remedy}" if self.remedy else told

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


class Transient(ConnectorError):
    """Again later; `retry_after` is the server's own wish in seconds, None if it named none."""

    def __init__(
        self,
        system: str,
        operation: str,
        detail: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Add the server's wish to what every error carries."""
        super().__init__(system, operation, detail, status=status)
        self.retry_after = retry_after


class NotConnected(Transient):
    """No connection was made, so nothing was sent."""

    advice = "Check the address, the network and the proxy settings."


class Interrupted(Transient):
    """The request may have arrived; its answer is missing or incomplete."""


class Throttled(Transient):
    """429: more requests than the server wants."""

    advice = "Lower the requests per second for this system if this repeats."


class ServerFault(Transient):
    """5xx, 408 or 425."""


class Permanent(ConnectorError):
    """Repeating changes nothing; a person must act."""


class Unauthorized(Permanent):
    """401."""

    advice = "Check the credential: it may be wrong, revoked or expired."


class Forbidden(Permanent):
    """403."""

    advice = "Check the rights of the credential."


class NotFound(Permanent):
    """404: absent, not visible to this credential, or a wrong base URL."""


class Refused(Permanent):
    """Any other 4xx; the detail quotes the server's problem text."""


class Misconfigured(Permanent):
    """The address or a header of ours cannot be used; nothing was sent."""


class UnexpectedAnswer(ConnectorError):
    """An answer of a foreign shape: perhaps a proxy, a login page, a wrong base URL or a changed interface."""

    advice = "Check the base URL, and whether a proxy answers in the server's place."


class TooLarge(UnexpectedAnswer):
    """More than we are ready to hold in memory; reading stopped there."""

    advice = "Ask for less at once (a smaller PAGE_SIZE), and check whether a proxy answers in the server's place."
