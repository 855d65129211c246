"""One row of a links file: each cell checked, with a sentence for each mistake. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.orders.mistakes import Mistake, Wrong, shown

COLUMNS = (
    "purchase_order",
    "credit_order_id",
    "credit_kg",
    "account",
    "customer_id",
    "expected_deliveries",
    "open_ended",
    "project",
    "issuance",
    "batches",
    "note",
)
REQUIRED = ("purchase_order", "credit_order_id")

# logistic.cloud developer docs, resources/deliveries: `numberPurchaseOrder` is a string of at most 50 characters.
PURCHASE_ORDER_CHARACTERS = 50
# Isometric registry OpenAPI, CreateDeliveryRequest: ids have 20 to 37 characters, `notes` at most 256.
ID_CHARACTERS = (20, 37)
NOTES_CHARACTERS = 256
# A marker takes at most 60 of them, and one blank stands before it.
NOTE_CHARACTERS = NOTES_CHARACTERS - 60 - 1
# A customer id is an int32 at the source; more than a thousand million tonnes, or more deliveries, are typing mistakes.
MAX_CUSTOMER_ID = 2**31 - 1
MAX_KG = 10**12
MAX_EXPECTED = 100_000

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?")
_ID = re.compile(r"[a-z]{3}_[A-Za-z0-9]+")
_WHOLE = re.compile(r"[0-9]+")
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}
_BATCH_SEPARATORS = re.compile(r"[\s;]+")
_MARKER_WORD = re.compile(r"(^|\s)wb1", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """What one row says. `account` is '' and `customer_id` 0 where it does not say."""

    line: int
    purchase_order: str
    credit_order_id: str
    credit_kg: int | None
    account: str
    customer_id: int
    expected_deliveries: int | None
    open_ended: bool
    project: str | None
    issuance: str | None
    batches: tuple[str, ...]
    note: str | None

    @property
    def key(self) -> tuple[str, int, str]:
        """What makes two rows speak of the same link."""
        return self.account, self.customer_id, self.purchase_order


def read_row(line: int, cells: Mapping[str, str], *, count_required: bool) -> LinkRow | list[Mistake]:
    """The row, or everything that is wrong with it. Cells that are absent are blank.

    `count_required`: automatic mode wants expected_deliveries or open_ended=yes in every row.
    """
    values: dict[str, object] = {}
    mistakes: list[Mistake] = []
    for column, reader in _READERS.items():
        try:
            values[column] = reader(cells.get(column, ""))
        except Wrong as wrong:
            mistakes.append(Mistake(line, column, str(wrong)))
    if mistakes:
        return mistakes
    row = LinkRow(line=line, **values)  # type: ignore[arg-type]  # each reader returns what its column holds
    return _together(row, count_required=count_required) or row


def _together(row: LinkRow, *, count_required: bool) -> list[Mistake]:
    """Mistakes that show only when cells are seen together."""
    if row.open_ended and row.expected_deliveries is not None:
        what = "the order is open-ended and has an expected number of deliveries; leave one of them blank"
        return [Mistake(row.line, "open_ended", what)]
    if count_required and not row.open_ended and row.expected_deliveries is None:
        what = "blank; automatic mode needs the number of deliveries here, or open_ended=yes"
        return [Mistake(row.line, "expected_deliveries", what)]
    return []


def _purchase_order(cell: str) -> str:
    if not cell.strip():
        text = "blank; every link names a purchase order"
        raise Wrong(text)
    if len(cell) > PURCHASE_ORDER_CHARACTERS:
        text = f"{len(cell)} characters; a purchase order number has at most {PURCHASE_ORDER_CHARACTERS}"
        raise Wrong(text)
    if any(not character.isprintable() for character in cell):
        text = f"{shown(cell)} holds a character that cannot be seen; enter the number again"
        raise Wrong(text)
    return cell


def _identifier(prefix: str, example: str) -> Callable[[str], str]:
    shortest, longest = ID_CHARACTERS

    def read(cell: str) -> str:
        text = cell.strip()
        if not (text.startswith(prefix) and _ID.fullmatch(text) and shortest <= len(text) <= longest):
            sentence = f"{shown(text)} is not {example} ({prefix} and {shortest} to {longest} characters in all)"
            raise Wrong(sentence)
        return text

    return read


def _optional_identifier(prefix: str, example: str) -> Callable[[str], str | None]:
    read = _identifier(prefix, example)
    return lambda cell: read(cell) if cell.strip() else None


def _credit_order_id(cell: str) -> str:
    if not cell.strip():
        text = "blank; every link names a credit order (ord_…)"
        raise Wrong(text)
    return _identifier("ord_", "a credit order's id")(cell)


def _whole(cell: str, what: str, largest: int) -> int | None:
    text = cell.strip()
    if not text:
        return None
    digits = text.lstrip("0") if _WHOLE.fullmatch(text) else ""
    if not digits:
        sentence = f"{shown(text)} is not {what} (digits only, above 0)"
        raise Wrong(sentence)
    if len(digits) > len(str(largest)) or int(digits) > largest:
        sentence = f"{shown(text)} is too large; the largest is {largest}"
        raise Wrong(sentence)
    return int(digits)


def _credit_kg(cell: str) -> int | None:
    return _whole(cell, "a whole number of kilograms", MAX_KG)


def _customer_id(cell: str) -> int:
    number = _whole(cell, "a customer's number", MAX_CUSTOMER_ID)
    return 0 if number is None else number


def _expected_deliveries(cell: str) -> int | None:
    return _whole(cell, "a number of deliveries", MAX_EXPECTED)


def _account(cell: str) -> str:
    text = cell.strip().lower()
    if text and not _HOST.fullmatch(text):
        sentence = f"{shown(cell)} is not an account; an account is named by the host of its base URL"
        raise Wrong(sentence)
    return text


def _open_ended(cell: str) -> bool:
    text = cell.strip().lower()
    if text not in _YES_NO:
        sentence = f"{shown(cell)} is neither yes nor no"
        raise Wrong(sentence)
    return _YES_NO[text]


def _batches(cell: str) -> tuple[str, ...]:
    read = _identifier("ctb_", "a credit batch's id")
    batches = tuple(read(text) for text in _BATCH_SEPARATORS.split(cell.strip()) if text)
    if len(set(batches)) < len(batches):
        sentence = "the same batch stands here twice; name each once"
        raise Wrong(sentence)
    return batches


def _note(cell: str) -> str | None:
    text = cell.strip()
    if not text:
        return None
    if not (text.isascii() and text.isprintable()):
        sentence = "the note is public and holds a character other than printable ASCII; write it without"
        raise Wrong(sentence)
    if len(text) > NOTE_CHARACTERS:
        sentence = f"{len(text)} characters; beside the marker there is room for {NOTE_CHARACTERS}"
        raise Wrong(sentence)
    if _MARKER_WORD.search(text):
        sentence = "a word of the note begins with wb1 and could be taken for a marker; write it differently"
        raise Wrong(sentence)
    return text


_READERS: Mapping[str, Callable[[str], object]] = {
    "purchase_order": _purchase_order,
    "credit_order_id": _credit_order_id,
    "credit_kg": _credit_kg,
    "account": _account,
    "customer_id": _customer_id,
    "expected_deliveries": _expected_deliveries,
    "open_ended": _open_ended,
    "project": _optional_identifier("prj_", "a project's id"),
    "issuance": _optional_identifier("iss_", "an issuance's id"),
    "batches": _batches,
    "note": _note,
}
