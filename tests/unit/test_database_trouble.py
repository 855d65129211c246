"""A database that cannot be opened or written says what to do about it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cli_kit import Shell
from tests.clocks import ManualClock
from worker.db import Database
from worker.errors import DatabaseUnavailable

# Of SQLite: a file of so few pages is full at once, as a disk is; and nothing may be written.
_TROUBLES = [
    pytest.param("max_page_count=2", "Make room on its disk", 4, id="full"),
    pytest.param("query_only=ON", "name a folder that this user may write to", 2, id="read only"),
]


@pytest.mark.parametrize(("pragma", "remedy", "status"), _TROUBLES)
def test_a_disk_that_takes_nothing_is_told_with_the_remedy(
    tmp_path: Path, pragma: str, remedy: str, status: int
) -> None:
    """The sentence names the setting; what a setting can mend is a mistake of the configuration."""
    database = Database(f"sqlite:///{tmp_path}/w.db", ManualClock())
    sa.event.listen(database.engine, "connect", lambda raw, _record: raw.execute(f"PRAGMA {pragma}"))
    much = sa.text("CREATE TABLE anything AS SELECT hex(randomblob(100000))")
    with pytest.raises(DatabaseUnavailable) as told, database.write() as connection:
        connection.execute(much)
    database.close()

    assert remedy in told.value.sentence
    assert "WAYBILL_STATE_DIR (or WAYBILL_DATABASE_URL)" in told.value.sentence
    assert told.value.exit_status == status


def test_a_file_that_cannot_be_opened_is_told_with_the_remedy(tmp_path: Path) -> None:
    """Such as one in a folder that is read-only, or that has gone."""
    database = Database(f"sqlite:///{tmp_path}/gone/w.db", ManualClock())
    with pytest.raises(DatabaseUnavailable) as told, database.read():
        pass
    database.close()

    assert "WAYBILL_STATE_DIR" in told.value.sentence
    assert told.value.exit_status == 2


def test_a_state_directory_that_cannot_be_made_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here because a file stands in its way."""
    shell = Shell(tmp_path, monkeypatch, capsys)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WAYBILL_STATE_DIR", str(tmp_path / "file" / "state"))
    done = shell("status")

    assert done.status == 2
    assert "Let WAYBILL_STATE_DIR (or WAYBILL_DATABASE_URL) name one that this user may write to." in done.err


@pytest.mark.parametrize("listing", [("coverage",), ("orders", "list"), ("credits", "list")])
def test_a_state_that_there_is_not_names_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], listing: tuple[str, ...]
) -> None:
    """In one clear sentence."""
    done = Shell(tmp_path, monkeypatch, capsys)(*listing, "--state", "foo")

    assert done.status == 2
    assert "Invalid value for '--state': 'foo' is not one of: " in done.err
