"""The settings of barmate Connect, where customers ask the supplier for goods (facts: vendor's documentation).

`settings.barmate_rules` says what they mean together: none of them silently does nothing.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from settings.values import (
    A_SECRET,
    BASE_URL,
    YES_OR_NO,
    BaseUrl,
    Number,
    Secret,
    TimeZone,
    WholeNumber,
    host_of,
    number,
    setting,
)


class AuthorizationScheme(StrEnum):
    """The word before the token in barmate's `Authorization` header (public clients of the API use `token`)."""

    TOKEN = "token"  # noqa: S105 - a word of the protocol
    BEARER = "Bearer"


class LinkBy(StrEnum):
    """What names the customer order of a delivery: a field with its id, or the accepted response's reference."""

    NUMBER = "number"
    NUMBER_EXTERNAL = "number_external"
    NUMBER_PURCHASE_ORDER = "number_purchase_order"
    REFERENCE = "reference"


class BarmateSettings(BaseModel):
    """The supplier's account at barmate Connect; unset means that barmate is not used."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: BaseUrl | None = setting(
        None, expects=BASE_URL, about="Address of barmate Connect's API, such as https://connect.yourbarmate.com/api."
    )
    token: Secret | None = setting(None, expects=A_SECRET, about="Token of the supplier at barmate Connect.")
    # `token` is the word that public clients send; the vendor's own page on it was not found.
    scheme: AuthorizationScheme = setting(
        AuthorizationScheme.TOKEN, expects="token or Bearer", about="Word that precedes the token in the header."
    )
    # Customer orders arrive a few times a day; a minute is soon enough.
    poll_seconds: Number = number(60.0, least=0.05, most=86400, unit="seconds", about="Time between two polls.")
    # The vendor states no limit; one a second is what the warehouse allows as well.
    requests_per_second: Number = number(
        1.0, least=0.01, most=10000, unit="requests per second", about="Request budget of the token."
    )
    # The external number is the one that customers know.
    link_by: LinkBy = setting(
        LinkBy.NUMBER_EXTERNAL,
        expects="number, number_external, number_purchase_order or reference",
        about="Field of a delivery with its customer order's id; `reference`: its number is the accepted reference.",
    )
    # Off: each response may send an e-mail to a customer.
    respond: bool = setting(default=False, expects=YES_OR_NO, about="Whether approved deliveries are accepted.")
    # Off: a rejection is final.
    respond_reject: bool = setting(default=False, expects=YES_OR_NO, about="Whether cancelled orders are rejected.")
    # Ten minutes: several changes of one delivery come within a few, and each one told is an e-mail.
    quiet_seconds: Number = number(
        600.0, least=0, most=604800, unit="seconds", about="Quiet time before an UPDATE or a REJECT is sent."
    )
    # Five minutes: gateways give up on a request within one or two.
    settle_seconds: Number = number(
        300.0, least=0, most=86400, unit="seconds", about="Time until a response with a lost answer must be visible."
    )
    # Off: a response may still take effect after the settle time, and the customer would get two e-mails.
    resend_after_absence: bool = setting(
        default=False,
        expects=YES_OR_NO,
        about="Whether an ACCEPT or UPDATE with a lost answer is sent again by itself if barmate does not show it.",
    )
    # No default: the warehouse tells moments and barmate days, and a wrong zone would tell customers a wrong day.
    time_zone: TimeZone | None = setting(
        None,
        expects="the name of a time zone such as Europe/Zurich",
        about="Where the goods go: which day a delivery's date is there.",
    )
    # Off: not every customer confirms what was received.
    require_receipt: bool = setting(
        default=False, expects=YES_OR_NO, about="Whether an order waits for the customer's receipt."
    )
    listen_host: str | None = setting(
        None,
        min_length=1,
        expects="a host name or address",
        about="Address on which barmate's webhooks are heard; unset means 127.0.0.1.",
    )
    listen_port: WholeNumber | None = setting(
        None, ge=1, le=65535, expects="a port from 1 to 65535", about="Port on which barmate's webhooks are heard."
    )
    webhook_header: str | None = setting(
        None,
        pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        expects="the name of an HTTP header",
        about="Header that carries the secret of barmate's webhooks.",
    )
    webhook_secret: Secret | None = setting(
        None, expects=A_SECRET, about="Value that the header of barmate's webhooks must have."
    )
    # RFC 7617: the first colon ends the user name.
    webhook_user: str | None = setting(
        None,
        pattern=r"^[\x20-\x39\x3b-\x7e]+$",
        expects="a user name in ASCII without a colon",
        about="User name of barmate's webhooks (basic authentication).",
    )
    webhook_password: Secret | None = setting(
        None, expects=A_SECRET, about="Password of barmate's webhooks (basic authentication)."
    )
    # On: the operator sees whom an order is for; off where the law asks for it.
    store_personal_data: bool = setting(
        default=True, expects=YES_OR_NO, about="Whether names and addresses of customers are stored."
    )

    @property
    def in_use(self) -> bool:
        """Whether barmate is used at all."""
        return self.base_url is not None and self.token is not None

    @property
    def host(self) -> str | None:
        """The account's name: the host of its base URL, with the port unless it is the scheme's default."""
        return None if self.base_url is None else host_of(self.base_url)

    @property
    def checks_header(self) -> bool:
        """Whether barmate's webhooks are known by a secret in a header."""
        return self.webhook_header is not None and self.webhook_secret is not None

    @property
    def checks_basic(self) -> bool:
        """Whether barmate's webhooks are known by a user name and a password."""
        return self.webhook_user is not None and self.webhook_password is not None
