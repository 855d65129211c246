"""The groups of the settings tree: one frozen model for each system or concern."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from settings.values import (
    A_SECRET,
    BASE_URL,
    INSTANT,
    WEBHOOK_SECRET_PREFIX,
    YES_OR_NO,
    BaseUrl,
    Instant,
    LocalPath,
    Number,
    Secret,
    WebhookSecret,
    WebUrl,
    WholeNumber,
    host_of,
    number,
    setting,
)

# A marker is public, so its key must not be found by guessing: sixteen random characters are out of reach.
MARKER_KEY_CHARACTERS = 16
SECONDS_A_DAY = 86_400


class Mode(StrEnum):
    """How far firing goes by itself (DESIGN §6, point 2)."""

    PLAN = "plan"
    APPROVE = "approve"
    AUTOMATIC = "automatic"


class LogFormat(StrEnum):
    """How a line of the log is written."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important events that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Group(BaseModel):
    """What all groups share: immutable, nothing unknown, no input in error texts."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AccountSettings(Group):
    """One logistic.cloud account (facts: logistic.cloud developer docs, root page)."""

    base_url: BaseUrl = setting(
        ..., expects=BASE_URL, about="Address of the account's API, such as https://acme.logistic.cloud/api/v1-beta."
    )
    api_key: Secret | None = setting(None, expects=A_SECRET, about="API key of the account, with the scope to read.")
    api_key_expires: Instant | None = setting(
        None, expects=INSTANT, about="When the key expires; a warning is given in time."
    )
    # The vendor's documentation allows about one request a second and key.
    requests_per_second: Number = number(
        1.0, least=0.01, most=10000, unit="requests per second", about="Request budget of the key, over all processes."
    )
    # A change is acted on within seconds, and four of five turns are left for other reads.
    poll_seconds: Number = number(
        5.0, least=0.05, most=3600, unit="seconds", about="Time between two polls while nothing changes."
    )
    # Whole-second stamps and slow commits: a minute is far more than a commit takes.
    lag_seconds: Number = number(
        60.0, least=0.1, most=3600, unit="seconds", about="How long a change may take to become visible."
    )
    # The most that the API gives, hence the fewest requests.
    page_size: WholeNumber = number(250, least=1, most=250, unit="rows", about="Rows asked for in one request.")
    start: Instant | None = setting(
        None, expects=INSTANT, about="Where coverage starts; unset means 30 days before the first run."
    )
    # A week covers a long weekend without anybody looking.
    sweep_days: WholeNumber = number(7, least=1, most=366, unit="days", about="Span that the nightly sweep re-reads.")

    @property
    def name(self) -> str:
        """The account's name: the host of its base URL, with the port unless it is the scheme's default."""
        return host_of(self.base_url)


class IsometricSettings(Group):
    """The Isometric registry (facts: Isometric API reference, authentication and standards)."""

    # The sandbox: nothing irreversible can happen by default.
    base_url: BaseUrl = setting(
        "https://api.sandbox.isometric.com/registry/v0", expects=BASE_URL, about="Address of the registry's API."
    )
    access_token: Secret | None = setting(
        None, expects=A_SECRET, about="Access token of the supplier's organisation; unset means plan only."
    )
    client_secret: Secret | None = setting(
        None, expects=A_SECRET, about="Client secret of the integration; unset means plan only."
    )
    # A delivery of many batches may take long; past half a minute an answer is no longer expected.
    timeout_seconds: Number = number(
        30.0, least=0.1, most=600, unit="seconds", about="How long one answer of the registry is waited for."
    )
    # A lost answer's delivery may appear late; five minutes are ten times the longest answer.
    settle_seconds: Number = number(
        300.0, least=0.0, most=SECONDS_A_DAY, unit="seconds", about="Wait before an unclear delivery is reconciled."
    )
    # The registry states no limit; one a second disturbs nobody.
    requests_per_second: Number = number(
        1.0, least=0.01, most=10000, unit="requests per second", about="Request budget of the token."
    )

    @property
    def host(self) -> str:
        """The registry's host, to which a database is bound."""
        return host_of(self.base_url)

    @property
    def has_credentials(self) -> bool:
        """Whether the registry can be asked at all."""
        return self.access_token is not None and self.client_secret is not None


class CreditsSettings(Group):
    """Firing of credit deliveries (DESIGN §6)."""

    # Nothing is ever sent before the operator says so.
    mode: Mode = setting(
        Mode.PLAN, expects="plan, approve or automatic", about="Whether firings are planned, approved or automatic."
    )
    marker_key: Secret | None = setting(
        None,
        min_length=MARKER_KEY_CHARACTERS,
        expects=f"a secret text of at least {MARKER_KEY_CHARACTERS} characters without blanks, kept for ever",
        about="Key of the markers in the notes of credit deliveries; required to send, never to be changed.",
    )
    # Corrections in the warehouse usually follow within minutes.
    quiet_seconds: Number = number(
        600.0, least=0.0, most=30 * SECONDS_A_DAY, unit="seconds", about="How long an order must be unchanged."
    )
    since: Instant | None = setting(
        None, expects=INSTANT, about="Orders completed before this are held; required to send."
    )
    factors_file: LocalPath | None = setting(
        None, expects="the path of a CSV file", about="Kilograms per article and unit, for links without an amount."
    )
    max_kg_per_delivery: WholeNumber | None = number(
        None, least=1, most=10**9, unit="kilograms", about="Largest credit delivery; unset means no limit."
    )
    max_kg_per_day: WholeNumber | None = number(
        None, least=1, most=10**9, unit="kilograms", about="Most kilograms sent in a day; unset means no limit."
    )
    # Off until the operator has verified in the sandbox that the registry refuses used batches.
    resend_after_absence: bool = setting(
        default=False, expects=YES_OR_NO, about="Whether a delivery that proved absent is sent again by itself."
    )

    @property
    def may_send(self) -> bool:
        """Whether the mode is one in which credit deliveries are made."""
        return self.mode is not Mode.PLAN


_WEBHOOK_SECRET = f"{WEBHOOK_SECRET_PREFIX} followed by the base64 text of 24 to 64 random bytes"


class WebhookSettings(Group):
    """The operator's webhook (facts: Standard Webhooks, symmetric signatures)."""

    url: WebUrl | None = setting(None, expects=BASE_URL, about="Where events are posted; unset means nowhere.")
    secret: WebhookSecret | None = setting(
        None, expects=_WEBHOOK_SECRET, about="Secret with which every body is signed; required with URL."
    )
    previous_secret: WebhookSecret | None = setting(
        None, expects=_WEBHOOK_SECRET, about="Former secret, signed with as well while receivers change over."
    )


class WebSettings(Group):
    """Health, metrics and the board."""

    # Loopback: nothing is open to the network by default.
    host: str = setting("127.0.0.1", min_length=1, expects="a host name or address", about="Address to listen on.")
    # A port that nothing well known uses; 0 lets the system choose one.
    port: WholeNumber = setting(8470, ge=0, le=65535, expects="a port from 0 to 65535", about="Port to listen on.")
    token: Secret | None = setting(
        None, expects=A_SECRET, about="Token that all but the health paths ask for. A host beyond loopback needs one."
    )


class TasksSettings(Group):
    """Work on the queue."""

    # Renewed while work goes on; a killed worker's task is free again within a minute.
    lease_seconds: Number = number(
        30.0, least=0.5, most=3600, unit="seconds", about="How long a claimed task stays claimed without renewal."
    )


class RetentionSettings(Group):
    """What is kept, and how long."""

    # A quarter: long enough to explain a delivery that an audit asks about.
    days: WholeNumber = number(
        90, least=1, most=36500, unit="days", about="How long raw readings and done tasks are kept."
    )


class LogSettings(Group):
    """The log."""

    format: LogFormat | None = setting(
        None, expects="console or json", about="Form of the log; unset means console on a terminal, else json."
    )
    # What an operator reads; debug is for a search.
    level: LogLevel = setting(
        LogLevel.INFO, expects="debug, info, warning or error", about="Least important events that are written."
    )
