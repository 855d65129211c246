"""What README and docs show is what the code takes: commands, columns, examples, links between pages."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from worker.cli.app import app
from worker.orders.factors import COLUMNS as FACTOR_COLUMNS
from worker.orders.factors import parse_factors
from worker.orders.link_file import parse_links
from worker.orders.link_row import COLUMNS as LINK_COLUMNS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
# One page is generated, another quotes the parts of a hash.
WITH_COMMANDS = [page for page in PAGES if page.name not in ("commands.md", "answers.md")]
COMMAND = re.compile(r"(?:^|& +)waybill ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", re.MULTILINE)
SPAN = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
EXAMPLE = re.compile(r"```csv\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def examples(page: str) -> list[bytes]:
    """The CSV examples of a page."""
    return [found.encode() for found in EXAMPLE.findall((ROOT / page).read_text(encoding="utf-8"))]


def named_commands(text: str) -> list[str]:
    """What stands after `waybill` in code, on any page."""
    return [found for code in SPAN.findall(text) for found in COMMAND.findall("".join(code))]


def exists(words: list[str]) -> bool:
    """Whether these words begin with a command, and a group's are followed by one of its own."""
    commands = getattr(get_command(app), "commands", {})
    if words[0] not in commands:
        return False
    group = getattr(commands[words[0]], "commands", None)
    return not group or len(words) == 1 or words[1] in group


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_every_command_that_is_written_down_exists(page: Path) -> None:
    """A newcomer types what the page says."""
    named = named_commands(page.read_text(encoding="utf-8"))
    unknown = [found for found in named if not exists(found.split())]

    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    """Pages move; what points to them is corrected."""
    named = [found for found in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in found]

    assert [found for found in named if not (page.parent / found).exists()] == []


def test_the_examples_are_taken_as_they_stand() -> None:
    """Who copies an example is not refused."""
    first, links, factors = *examples("README.md"), *examples("docs/links.md")

    assert [len(parse_links(rows, "links.csv", count_required=True)) for rows in (first, links)] == [1, 2]
    assert len(parse_factors(factors, "factors.csv").entries) == 2


def test_the_columns_that_are_described_are_those_that_are_read() -> None:
    """A column that nobody knows of is a column that nobody uses."""
    page = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")
    described = re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)

    assert described == [*LINK_COLUMNS, *FACTOR_COLUMNS]
