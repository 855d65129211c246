"""What came of a job that was waited for, in sentences, and whether it found something."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from worker import kinds
from worker.cli.output import cell

Told = Mapping[str, Any]


def sentences(kind: str, result: Told) -> list[str]:
    """A few lines an account; none for jobs that speak for themselves."""
    tell = _TELLERS.get(kind)
    if tell is None:
        return []
    return [line for name, told in result.items() for line in (_barmate if "host" in told else tell)(name, told)]


def has_findings(kind: str, result: Told) -> bool:
    """Whether there is something that a person should look at: exit status 1."""
    asks = _FINDINGS.get(kind)
    return asks is not None and any(asks(told) for told in result.values() if "host" not in told)


def _poll(name: str, told: Told) -> list[str]:
    until = told.get("certified_until")
    read = f"{_many(told['rows'], 'row')} in {_many(told['requests'], 'request')}, {_news(told)}"
    return [f"{name}: {read}; {'nothing certified yet' if until is None else f'certified until {_instant(until)}'}."]


def _barmate(name: str, told: Told) -> list[str]:
    trouble = told["error"] if told["stopped"] is None else told["stopped"]
    if trouble is not None:
        return [f"{name}: {trouble}"]
    left = "" if told["done"] else "; more is due, and read by `waybill run`"
    return [f"{name}: customer orders read in {_many(told['requests'], 'request')}, {told['news']} with news{left}."]


def _backfill(name: str, told: Told) -> list[str]:
    span = f"{_instant(told['since'])} to {_instant(told['until'])}"
    read = f"{_many(told['rows'], 'row')} in {_many(told['requests'], 'request')}, {_news(told)}"
    lines = [f"{name}: {span} is {'certified' if not told['holes'] else 'read'}: {read}."]
    if told["holes"]:
        lines.append(
            f"{name}: {_many(told['holes'], 'second')} of it could not be proved; they are tried again by themselves, "
            "and `waybill coverage --state hole` says why."
        )
    return lines


def _sweep(name: str, told: Told) -> list[str]:
    found = f"{_news(told)}, {told['returned']} returned, {told['vanished']} no longer visible"
    lines = [f"{name}: {_many(told['rows'], 'row')} in {_many(told['requests'], 'request')}: {found}."]
    lines += [f"  delivery {item['delivery_id']}: {cell(item['why'])}" for item in told["findings"]]
    return lines + [f"  not read completely: {cell(reason)}" for reason in told["unread"]]


def _news(told: Told) -> str:
    return f"{told['appeared']} new, {told['changed']} changed"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _instant(text: str) -> str:
    return text.replace("+00:00", "Z")


_TELLERS: Mapping[str, Callable[[str, Told], Sequence[str]]] = {
    kinds.POLL: _poll,
    kinds.BACKFILL: _backfill,
    kinds.SWEEP: _sweep,
}
_FINDINGS: Mapping[str, Callable[[Told], bool]] = {
    kinds.BACKFILL: lambda told: bool(told["holes"]),
    kinds.SWEEP: lambda told: bool(told["findings"] or told["vanished"] or told["unread"]),
}
