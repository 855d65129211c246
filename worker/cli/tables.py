"""How rows are laid out on a terminal: no cell is ever cut, because what is shown is copied into the next command.

The widest layout that fits is taken: a table; a table with its last column beneath each row; a name and a value a line.
"""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

# Blanks between two columns.
_GAP = 2
# Blanks before what stands beneath its row.
_BENEATH = 4
# A sentence in a narrower column takes more lines than a line of its own.
_SENTENCE_WIDTH = 30

Cells = Sequence[str]


def draw(console: Console, titles: Cells, rows: Sequence[Cells]) -> None:
    """Print the rows, at least one, in the layout that suits the console's width."""
    if not _is_table(console.width, titles, rows) and len(rows) > 1 and len({row[0] for row in rows}) == 1:
        console.print(Text(f"{titles[0]}: {rows[0][0]}", style="dim"))
        titles, rows = titles[1:], [row[1:] for row in rows]
    for part in _laid_out(console.width, titles, rows):
        console.print(part)


def _laid_out(width: int, titles: Cells, rows: Sequence[Cells]) -> Iterator[RenderableType]:
    if _is_table(width, titles, rows):
        yield _table(titles, rows)
    elif len(titles) > 1 and _width(titles[:-1], [row[:-1] for row in rows]) <= width:
        yield from _beneath(titles, rows)
    else:
        yield from _records(titles, rows)


def _is_table(width: int, titles: Cells, rows: Sequence[Cells]) -> bool:
    before = _width(titles[:-1], [row[:-1] for row in rows]) + _GAP if len(titles) > 1 else 0
    return before + _least(titles[-1], [row[-1] for row in rows]) <= width


def _least(title: str, cells: Cells) -> int:
    """The width that the last column needs; a sentence may be folded."""
    whole = _column(title, cells)
    return min(whole, _SENTENCE_WIDTH) if any(" " in cell for cell in cells) else whole


def _width(titles: Cells, rows: Sequence[Cells]) -> int:
    columns = [_column(title, [row[place] for row in rows]) for place, title in enumerate(titles)]
    return sum(columns) + _GAP * (len(columns) - 1)


def _column(title: str, cells: Cells) -> int:
    """The width of a column whose title may be folded between its words."""
    return max(cell_len(text) for text in (*title.split(), *cells))


def _table(titles: Cells, rows: Sequence[Cells]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for place, title in enumerate(titles[:-1]):
        table.add_column(title, min_width=_column(title, [row[place] for row in rows]))
    table.add_column(titles[-1], overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _beneath(titles: Cells, rows: Sequence[Cells]) -> Iterator[RenderableType]:
    widths = [_column(title, [row[place] for row in rows]) for place, title in enumerate(titles[:-1])]
    head = [title.split() for title in titles[:-1]]
    for line in range(max(len(words) for words in head)):
        yield Text(_line([words[line] if line < len(words) else "" for words in head], widths), style="bold")
    yield Padding(Text(titles[-1], style="bold"), (0, 0, 0, _BENEATH))
    for row in rows:
        yield Text(_line(row[:-1], widths))
        yield Padding(Text(row[-1], overflow="fold"), (0, 0, 0, _BENEATH))


def _line(cells: Cells, widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return (" " * _GAP).join(padded).rstrip()


def _records(titles: Cells, rows: Sequence[Cells]) -> Iterator[RenderableType]:
    width = max(cell_len(title) for title in titles)
    for row in rows:
        table = Table.grid(padding=(0, _GAP, 0, 0))
        table.add_column(min_width=width, style="bold")
        table.add_column(overflow="fold")
        for title, cell in zip(titles, row, strict=True):
            table.add_row(title, Text(cell))
        yield table
        yield Text()
