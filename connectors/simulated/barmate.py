"""barmate as a state: deliveries with their versions, responses, and the e-mails that customers got."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from connectors.simulated import barmate_rules as rules
from connectors.simulated.barmate_switches import BarmateSwitches
from connectors.simulated.barmate_words import (
    ACCEPT,
    ACCEPTED,
    CANCEL_DELIVERY,
    CANCELLED,
    DELIVERED,
    REQUEST_DELIVERY,
    REQUESTED,
    UPDATE,
    JsonObject,
)
from connectors.simulated.clock import Clock, stamp
from connectors.simulated.switches import Panel

FIRST_ID: Final = 123_456_789

# Hears of an event: its type and the delivery as it stands.
Listener = Callable[[str, JsonObject], None]


class UnknownDeliveryError(KeyError):
    """An id nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """One message to a customer, caused by one response; ``request_number`` is the POST's."""

    delivery_id: str
    type: str
    reference: str | None
    request_number: int


@dataclass(slots=True, kw_only=True)
class _Entry:
    """One delivery: its place in the order of requests, and its versions with their moments."""

    place: int
    versions: list[tuple[datetime, JsonObject]] = field(default_factory=list)

    def at(self, moment: datetime | None) -> JsonObject | None:
        """Return the version of a moment; None before the first, the newest without a moment."""
        seen = [record for since, record in self.versions if moment is None or since <= moment]
        return seen[-1] if seen else None


class Barmate:
    """One supplier's account; safe to use from several threads."""

    def __init__(self, *, clock: Clock, panel: Panel[BarmateSwitches]) -> None:
        """Begin empty."""
        self.clock = clock
        self.panel = panel
        self._lock = threading.RLock()
        self._entries: dict[str, _Entry] = {}
        self._emails: list[Email] = []
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of every request and every cancellation from now on."""
        self._listeners.append(listener)

    # -- what customers do -------------------------------------------------------------------------------------

    def place(self, record: JsonObject, *, at: datetime | None = None) -> str:
        """Let a customer ask for something, and return the delivery's id: the record's own, or the next number.

        ``at`` is a moment before now, for what happened before the beginning and is told to nobody.
        """
        moment = self.clock.now() if at is None else at
        with self._lock:
            made = copy.deepcopy(record)
            made = {"id": FIRST_ID + len(self._entries), "type": "DELIVERY", **made}
            made.setdefault("status", REQUESTED)
            made.setdefault("responses", [])
            made["request"].setdefault("timestamp", stamp(moment, fractions=True))
            key = str(made["id"])
            self._entries[key] = _Entry(place=len(self._entries), versions=[(moment, made)])
        if at is None:
            self._tell(REQUEST_DELIVERY, made)
        return key

    def cancel(self, key: str, *, message: str = "Doch nicht.") -> None:
        """Let the customer take back a delivery; raise :class:`RefusedError` when it is final."""
        said = {
            "timestamp": stamp(self.clock.now(), fractions=True),
            "user": {"name": "Lagerist", "email": "lagerist@mein-club.example"},
            "message": message,
        }
        self._tell(CANCEL_DELIVERY, self._end(key, {"status": CANCELLED, "cancelled": said}))

    def receive(self, key: str) -> None:
        """Let the customer confirm what came, accepted or not; raise :class:`RefusedError` when it is final."""
        self._end(key, {"status": DELIVERED})

    def rewrite(self, key: str, fields: JsonObject) -> None:
        """Overwrite fields of a delivery with what no rule foresees."""
        with self._lock:
            self._put(key, {**self._newest(key), **copy.deepcopy(fields)})

    # -- what the supplier does --------------------------------------------------------------------------------

    def respond(self, key: str, body: object, *, request_number: int) -> JsonObject:
        """Take a response and return it; raise :class:`UnknownDeliveryError` or :class:`RefusedError`."""
        switches = self.panel.now
        with self._lock:
            record = self._newest(key)
            given = rules.checked(body)
            type_ = given["type"]
            refused = switches.repeated_accept_refused
            status = rules.status_after(record["status"], type_, repeated_accept_refused=refused)
            shown_as = ACCEPT if type_ == UPDATE and not switches.update_shown else type_
            now = stamp(self.clock.now(), fractions=True)
            made = rules.response(given, record["request"]["items"], timestamp=now, shown_as=shown_as)
            self._put(key, {**record, "status": status, "responses": [*record["responses"], made]})
            self._emails.append(
                Email(delivery_id=key, type=type_, reference=given.get("reference"), request_number=request_number)
            )
            return made

    # -- what can be read --------------------------------------------------------------------------------------

    def get(self, key: str, *, at: datetime | None = None) -> JsonObject:
        """Return a delivery as it stands, or stood ``at`` a moment; raise :class:`UnknownDeliveryError`."""
        with self._lock:
            entry = self._entries.get(key)
            record = None if entry is None else entry.at(at)
        if record is None:
            raise UnknownDeliveryError(key)
        return record

    def newest_first(self, *, at: datetime | None = None) -> list[tuple[int, JsonObject]]:
        """Return all deliveries with their places, most recent request first."""
        with self._lock:
            found = [(entry.place, entry.at(at)) for entry in reversed(self._entries.values())]
        return [(place, record) for place, record in found if record is not None]

    def truth(self) -> dict[str, Any]:
        """Return every delivery as it stands, every e-mail, and how many each delivery's customer got."""
        with self._lock:
            emails = list(self._emails)
        return {
            "deliveries": [record for _place, record in self.newest_first()],
            "emails": [asdict(email) for email in emails],
            "emails_by_delivery": dict(Counter(email.delivery_id for email in emails)),
        }

    def _newest(self, key: str) -> JsonObject:
        return self.get(key)

    def _put(self, key: str, record: JsonObject) -> None:
        self._entries[key].versions.append((self.clock.now(), record))

    def _end(self, key: str, fields: JsonObject) -> JsonObject:
        with self._lock:
            record = self._newest(key)
            if record["status"] not in {REQUESTED, ACCEPTED}:
                sentence = f"A delivery that is {record['status']} cannot become {fields['status']}."
                raise rules.RefusedError(sentence)
            ended = {**record, **fields}
            self._put(key, ended)
            return ended

    def _tell(self, type_: str, record: JsonObject) -> None:
        for listener in self._listeners:
            listener(type_, record)
