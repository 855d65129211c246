"""Relay pages: forwards from the newest entry, to the end or to a known one.

Source: Isometric registry, OpenAPI v0 and docs.isometric.com/standards (pagination): `first` and `after`,
1 to 50 nodes a page; answers `nodes`, `total_count`, `page_info{has_next_page, end_cursor}`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from connectors.answer import Answer
from connectors.shape import Fields, read, shaped

T = TypeVar("T")

Params = Sequence[tuple[str, str]]

# Nodes a page: the documented maximum, for the fewest requests.
PAGE_NODES = 50

# Pages one reading may ask for: half a million entries; beyond that the cursors lead nowhere.
MAX_PAGES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPage:
    """One page as it came; `next_cursor` is None on the last one."""

    answer: Answer
    nodes: Sequence[object]
    total_count: int
    has_next_page: bool
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadList(Generic[T]):
    """What was read of a list, in its order, with the counts the server stated on the first and the last page.

    `complete`: the server said that no page follows. `joined`: the reading ended at a known entry, the last of `nodes`.
    `turns` are the numbers of the first and the last request.
    """

    nodes: tuple[T, ...]
    first_total_count: int
    total_count: int
    complete: bool
    joined: bool
    turns: tuple[int, int]

    @property
    def counts_agree(self) -> bool:
        """Whether the whole list was read and every count says so; distinct ids are the reader's to check."""
        return self.complete and self.first_total_count == self.total_count == len(self.nodes)


def relay_pages(fetch: Callable[[Params], Answer], params: Params = ()) -> Iterator[RelayPage]:
    """Yield the pages one by one; a cursor that comes twice, or too many pages, raise UnexpectedAnswer."""
    seen: set[str] = set()
    after: list[tuple[str, str]] = []
    for _ in range(MAX_PAGES):
        page = _page(fetch([*params, ("first", str(PAGE_NODES)), *after]))
        yield page
        if page.next_cursor is None:
            return
        if page.next_cursor in seen:
            detail = "the list leads in a circle: the same cursor came twice"
            raise page.answer.unexpected(detail)
        seen.add(page.next_cursor)
        after = [("after", page.next_cursor)]
    detail = f"the list does not end within {MAX_PAGES} pages"
    raise page.answer.unexpected(detail)


def read_list(
    fetch: Callable[[Params], Answer],
    reader: Callable[[Fields], T],
    *,
    params: Params = (),
    until: Callable[[T], bool] | None = None,
) -> ReadList[T]:
    """Read the whole list, or up to and including the first entry for which `until` says that it is known."""
    nodes: list[T] = []
    pages: list[RelayPage] = []
    joined = has_unread = False
    for page in relay_pages(fetch, params):
        pages.append(page)
        found = [shaped(page.answer, node, reader) for node in page.nodes]
        new, joined = _until_known(found, until)
        nodes.extend(new)
        has_unread = page.has_next_page or len(new) < len(found)
        if joined:
            break
    first, last = pages[0], pages[-1]
    return ReadList(
        nodes=tuple(nodes),
        first_total_count=first.total_count,
        total_count=last.total_count,
        complete=not has_unread,
        joined=joined,
        turns=(first.answer.turn, last.answer.turn),
    )


def _until_known(nodes: Sequence[T], known: Callable[[T], bool] | None) -> tuple[Sequence[T], bool]:
    if known is not None:
        for position, node in enumerate(nodes):
            if known(node):
                return nodes[: position + 1], True
    return nodes, False


def _page(answer: Answer) -> RelayPage:
    return read(answer, lambda fields: _page_of(answer, fields))


def _page_of(answer: Answer, fields: Fields) -> RelayPage:
    info = fields.child("page_info")
    has_next_page = info.flag("has_next_page")
    cursor = info.text_or_none("end_cursor")
    return RelayPage(
        answer=answer,
        nodes=fields.items("nodes"),
        total_count=fields.integer("total_count"),
        has_next_page=has_next_page,
        # A null or empty cursor ends the walk even where a next page is claimed; `complete` then stays false.
        next_cursor=cursor if has_next_page and cursor else None,
    )
