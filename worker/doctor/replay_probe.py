"""The replay probe: finds out whether the registry refuses batches that were used already (DESIGN §6.7).

It delivers once in the sandbox and repeats the same bytes. Nothing is sent before the intent is durable; a probe that
was interrupted goes on with the bytes it had, after looking for what they did. What it delivered is dismissed in our
ledger, so that it holds no firing.
"""

from collections.abc import Callable

from connectors.errors import ConnectorError
from connectors.isometric import BatchFilter
from connectors.isometric_records import CreditBatch, Supplier
from worker.clock import Clock
from worker.db import Database
from worker.doctor import verdicts
from worker.doctor.finding import Finding, note, ok, problem, warning
from worker.doctor.probe_case import choose_batch, intent_of, require_room, require_sandbox
from worker.doctor.verdicts import Intent, Verdict
from worker.errors import NotReady, UsageError
from worker.events import OrderKey
from worker.firing import answers, pins
from worker.firing.account import RegistryAccount
from worker.firing.answers import About, Asked, Meaning, Reply
from worker.firing.brakes import Brakes
from worker.firing.ledger import Ledger
from worker.firing.lock import AccountLock
from worker.firing.marker import marker, tokens
from worker.firing.person import Person
from worker.firing.plan import ACTIVE
from worker.firing.rows import unresolved_kg

CHECK = "replay probe"
BECAUSE = "made by the replay probe"
# Looks at the list, and seconds between them, until it shows what an answer said: lists may lag behind.
LOOKS = 6
LOOK_SECONDS = 2.0
# No firing has this id: every pinned batch is somebody's.
_NO_FIRING = -1


class ReplayProbe:
    """Plans and runs the probe."""

    def __init__(
        self,
        *,
        database: Database,
        account: RegistryAccount,
        ledger: Ledger,
        brakes: Brakes,
        person: Person,
        clock: Clock,
        identity: Callable[[], str],
        timeout_seconds: float,
    ) -> None:
        self._database = database
        self._account = account
        self._ledger = ledger
        self._brakes = brakes
        self._person = person
        self._clock = clock
        self._identity = identity
        self._timeout_seconds = timeout_seconds
        self._lock = AccountLock(database=database, name=f"registry:{account.host}", identity=identity)

    def plan(self, credit_order_id: str, kg: int) -> Intent:
        """What would be sent, twice. Sends nothing. Raises UsageError, NotReady and ConnectorError."""
        supplier = self._supplier(credit_order_id)
        known = verdicts.begun(self._database)
        if known is not None:
            return _same(known, credit_order_id, kg)
        usable = self._usable(supplier, credit_order_id, kg)
        batch, way = choose_batch(usable, supplier, kg, verdicts.verdicts(self._database))
        require_sandbox(self._account.host, batch.id)
        return intent_of(credit_order_id, kg, batch, way, self._marker(supplier.id))

    def run(self, intent: Intent) -> Finding:
        """Deliver what was planned, repeat the same bytes, and remember what became of that. Raises as `plan` does."""
        with self._lock.held() as held:
            if held is None:
                sentence = "A firing is being sent at this registry account: run the probe again in a minute."
                raise NotReady(sentence)
            self._require_still(intent)
            verdicts.begin(self._database, intent)
            return self._run(intent)

    def _supplier(self, credit_order_id: str) -> Supplier:
        require_sandbox(self._account.host, credit_order_id)
        if self._account.registry is None:
            sentence = (
                "The replay probe needs credentials of the sandbox: "
                "set WAYBILL_ISOMETRIC__ACCESS_TOKEN and WAYBILL_ISOMETRIC__CLIENT_SECRET."
            )
            raise NotReady(sentence)
        supplier = self._account.supplier()
        require_sandbox(self._account.host, supplier.id, supplier.organisation.id)
        return supplier

    def _usable(self, supplier: Supplier, credit_order_id: str, kg: int) -> list[CreditBatch]:
        """The batches that no firing has pinned, where the credit order has room and nothing is stopped."""
        registry = self._account.require()
        order = registry.order(credit_order_id)
        with self._database.read() as connection:
            reserved_kg = unresolved_kg(connection, order.id, but=_NO_FIRING)
            reserved = pins.reserved(connection, but=_NO_FIRING)
            braked = self._brakes.first_on(connection)
        if braked is not None:
            sentence = f"Nothing is sent now, and no probe either: {braked.hold.reason}."
            raise NotReady(sentence)
        require_room(order, supplier, kg, reserved_kg)
        listed = registry.organisation_batches(supplier.organisation.id, BatchFilter(statuses=(ACTIVE,)))
        return [batch for batch in listed.nodes if batch.id not in reserved]

    def _require_still(self, intent: Intent) -> None:
        """What was planned, and shown, must be what is sent."""
        supplier = self._supplier(intent.credit_order_id)
        known = verdicts.begun(self._database)
        if known == intent:
            return
        usable = self._usable(supplier, intent.credit_order_id, intent.kg)
        if known is not None or intent.batch_id not in {batch.id for batch in usable}:
            sentence = "Something changed since the probe was planned: run the same command again."
            raise NotReady(sentence)

    def _run(self, intent: Intent) -> Finding:
        made = self._made(intent)
        reply = None
        if not made:
            reply = self._send(intent)
            made = self._until(intent, 0 if reply.meaning is Meaning.NO else 1)
        if not made and reply is not None:
            return self._nothing_made(intent, reply)
        # A no beside a delivery: an earlier try had taken effect late, and this one was the repeat already.
        if len(made) == 1 and (reply is None or reply.meaning is not Meaning.NO):
            reply = self._send(intent)
            made = self._until(intent, 1 if reply.meaning is Meaning.NO else 2)
        return self._judged(intent, reply, made)

    def _nothing_made(self, intent: Intent, reply: Reply) -> Finding:
        if reply.meaning is not Meaning.NO:
            return _undecided(f"no delivery is to be seen: {reply.reason}")
        says = f"the delivery itself was refused: {reply.reason}"
        return self._ended(intent, problem(CHECK, says, "correct what the registry says, or name another credit order"))

    def _judged(self, intent: Intent, repeat: Reply | None, made: list[str]) -> Finding:
        if len(made) > 1:
            says = f"used batches are accepted again: {', '.join(made)} were made from the same bytes"
            found = problem(CHECK, says, "keep WAYBILL_CREDITS__RESEND_AFTER_ABSENCE off, and tell the registry")
            return self._ended(intent, found, Verdict.ACCEPTED)
        if repeat is None or repeat.meaning is not Meaning.NO:
            return _undecided("the repeat was not sent" if repeat is None else repeat.reason)
        if repeat.about is not About.BATCHES:
            says = f"the repeat was refused, but not for its batches: {repeat.reason}"
            return self._ended(intent, warning(CHECK, says, "nothing is decided by that: try another credit order"))
        says = f"a batch that was used {intent.way.words} is refused: {repeat.reason}"
        return self._ended(intent, ok(CHECK, says), Verdict.REFUSED)

    def _ended(self, intent: Intent, found: Finding, verdict: Verdict | None = None) -> Finding:
        for identity in self._made(intent):
            self._person.dismiss(identity, BECAUSE)
        with self._database.write() as connection:
            if verdict is not None:
                verdicts.remember(connection, self._database, intent.way, verdict)
            verdicts.end(connection)
        return found

    def _until(self, intent: Intent, count: int) -> list[str]:
        """What the list shows, once it shows as much as an answer said or the looks are used up."""
        made = self._made(intent)
        for _ in range(LOOKS - 1):
            if len(made) >= count:
                break
            self._clock.sleep(LOOK_SECONDS)
            made = self._made(intent)
        return made

    def _made(self, intent: Intent) -> list[str]:
        """Deliveries with the probe's marker, mirrored. Raises NotReady where the list cannot be read whole."""
        listed = self._ledger.read_whole_order(intent.credit_order_id)
        if not listed.counts_agree:
            sentence = f"The deliveries of {intent.credit_order_id} could not be read whole: run the probe again."
            raise NotReady(sentence)
        return sorted(one.id for one in listed.nodes if intent.marker in tokens(one.notes))

    def _send(self, intent: Intent) -> Reply:
        asked = Asked(credit_order_id=intent.credit_order_id, kg=intent.kg, marker=intent.marker)
        try:
            answer = self._account.require().create_delivery(
                intent.request.encode(), deadline_seconds=self._timeout_seconds, before_connect=_nothing
            )
        except ConnectorError as error:
            return answers.of_error(error)
        return answers.of_answer(answer, asked)

    def _marker(self, supplier_id: str) -> str:
        # A key that nobody keeps: the marker is found in the list, and is no firing's.
        return marker(self._identity(), supplier=supplier_id, order=OrderKey(CHECK, 0, CHECK), ordinal=0)


def promise(intent: Intent, host: str) -> list[Finding]:
    """What the probe will do, in so many words."""
    return [
        note(CHECK, f"delivers {intent.kg} kg of batch {intent.batch_id} ({intent.way.words}) at {host}, for good"),
        note(CHECK, f"on credit order {intent.credit_order_id}, with exactly these bytes: {intent.request}"),
        note(CHECK, "then sends the same bytes again, and sees whether the registry refuses them"),
        note(
            CHECK,
            f"if it does not, another {intent.kg} kg are delivered; what was delivered is dismissed in our ledger",
        ),
    ]


def _same(known: Intent, credit_order_id: str, kg: int) -> Intent:
    if (known.credit_order_id, known.kg) != (credit_order_id, kg):
        sentence = (
            f"A probe of {known.kg} kg on {known.credit_order_id} was begun and not ended: "
            f"go on with --credit-order {known.credit_order_id} --kg {known.kg}."
        )
        raise UsageError(sentence)
    return known


def _undecided(why: str) -> Finding:
    return warning(CHECK, f"not decided: {why}", "run the same command again: it goes on where it was")


def _nothing() -> None:
    """Nothing is checked before connecting: the sandbox is no place for haste."""
