"""Options and arguments that several commands share."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer


def parse_instant(text: str) -> datetime:
    """ISO 8601 with a time zone; a date alone is its first second in UTC. Raises typer.BadParameter."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        sentence = f"{text!r} is not an instant; give ISO 8601 such as 2026-01-31T00:00:00Z or 2026-01-31."
        raise typer.BadParameter(sentence) from error
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    if "T" in text or " " in text:
        sentence = f"{text!r} names no time zone; add Z for UTC."
        raise typer.BadParameter(sentence)
    return moment.replace(tzinfo=UTC)


_Word = TypeVar("_Word", bound=StrEnum)


def word_of(words: type[_Word]) -> Callable[[str], _Word]:
    """A parser of one of these words. Raises typer.BadParameter with all of them."""

    def parse(text: str) -> _Word:
        try:
            return words(text)
        except ValueError as error:
            sentence = f"{text!r} is not one of: {', '.join(words)}."
            raise typer.BadParameter(sentence) from error

    return parse


Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings file in place of waybill.toml.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="At most so many rows.")]

PurchaseOrder = Annotated[str, typer.Argument(metavar="PO", help="Purchase order number, byte for byte.")]
Account = Annotated[str | None, typer.Option("--account", metavar="NAME", help="The account: its host name.")]
Customer = Annotated[int | None, typer.Option("--customer", metavar="ID", help="The customer's id at logistic.cloud.")]
# The firings of one order are numbered 0 to 9.
Ordinal = Annotated[int, typer.Option("--ordinal", min=0, max=9, metavar="N", help="Which firing of the order.")]

Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="The reason; it is kept.")]
Since = Annotated[
    datetime, typer.Option("--since", parser=parse_instant, metavar="TIME", help="From this instant (ISO 8601).")
]
Until = Annotated[
    datetime, typer.Option("--until", parser=parse_instant, metavar="TIME", help="To this instant (ISO 8601).")
]
OptionalSince = Annotated[
    datetime | None, typer.Option("--since", parser=parse_instant, metavar="TIME", help="From this instant.")
]
OptionalUntil = Annotated[
    datetime | None, typer.Option("--until", parser=parse_instant, metavar="TIME", help="To this instant.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the job has ended.")]
