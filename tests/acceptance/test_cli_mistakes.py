"""Mistakes of an operator: one sentence, the exit status of DESIGN §8, nothing changed.

Wrong settings and an unreachable database are met by the real command, the rest in this process, which is much quicker.
"""

import hashlib
from pathlib import Path

import pytest

from tests.cli_kit import Done, Shell, waybill
from tests.local_server import closed_port, reply, serving
from tests.order_kit import CREDIT_ORDER

HEADER = "purchase_order,credit_order_id,credit_kg,expected_deliveries,open_ended\n"
GOOD = f"{HEADER}PO-1,{CREDIT_ORDER},5,,\n"
KEY = "key-of-the-tests-0123456789"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into whose database one good link was imported."""
    folder = tmp_path_factory.mktemp("imported")
    (folder / "good.csv").write_text(GOOD)
    done = waybill(folder, "orders", "import", "good.csv")
    assert (done.status, done.out) == (0, "1 link added, 0 changed, 0 unchanged.\n"), done.err
    return folder


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in an empty folder."""
    return Shell(tmp_path, monkeypatch, capsys)


@pytest.fixture
def shell_there(imported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in the folder into whose database a link was imported."""
    return Shell(imported, monkeypatch, capsys)


def content_of(folder: Path) -> str:
    """A fingerprint of the database's files."""
    digest = hashlib.sha256()
    for file in sorted((folder / ".waybill").glob("waybill.db")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def sentences(done: Done) -> list[str]:
    """What was said on standard error."""
    return done.err.splitlines()


def test_wrong_settings_are_a_sentence_each_and_make_nothing(tmp_path: Path) -> None:
    """Every mistake is told at once by its name; no value is repeated and no state directory is made."""
    settings = {"WEB__PORT": "secret-looking", "NONSENSE": "1", "LOGISTIC_CLOUD__API_KEY": KEY}
    done = waybill(tmp_path, "run", settings=settings)

    assert (done.status, done.out) == (2, "")
    assert len(sentences(done)) == 3
    assert any(line.startswith("WAYBILL_WEB__PORT must be a port") for line in sentences(done))
    assert any(line.startswith("WAYBILL_NONSENSE is not a setting") for line in sentences(done))
    assert any(line.startswith("WAYBILL_LOGISTIC_CLOUD__BASE_URL is missing") for line in sentences(done))
    assert "secret-looking" not in done.err
    assert KEY not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "place", "what"),
    [
        ("", "", "is empty"),
        (b"\xff\xfe\x00", "", "is not UTF-8 text"),
        ("PO-1,5\n", "line 1", "purchase_order"),
        (f"{HEADER}PO-1,not-an-order,5,,\n", "line 2, column credit_order_id", ""),
        (f"{HEADER}PO-1,{CREDIT_ORDER},five,,\n", "line 2, column credit_kg", ""),
        (f"{HEADER}PO-1,{CREDIT_ORDER},5,2,yes\n", "line 2", "open_ended"),
        (f"{HEADER}PO-1,{CREDIT_ORDER},5,,\nPO-1,{CREDIT_ORDER},6,,\n", "line 3, column purchase_order", "line 2"),
        (f"purchase_orders,credit_order_id\nPO-1,{CREDIT_ORDER}\n", "line 1", "purchase_order"),
        (f"{HEADER}PO-1,{CREDIT_ORDER},5\n", "line 2", ""),
        (f'[{{"purchase_order": "PO-1", "credit_order_id": "{CREDIT_ORDER}"', "line 1", "JSON"),
    ],
)
def test_a_malformed_links_file_is_one_sentence_and_nothing_is_taken(
    shell_there: Shell, tmp_path: Path, content: str | bytes, place: str, what: str
) -> None:
    """A bad row is named by line and column; what was there before is untouched."""
    file = tmp_path / "links.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    before = content_of(shell_there.folder)
    done = shell_there("orders", "import", str(file))

    assert (done.status, done.out) == (2, "")
    assert len(sentences(done)) == 1
    assert "links.csv" in done.err
    assert place in done.err
    assert what in done.err
    assert content_of(shell_there.folder) == before


@pytest.mark.parametrize("command", [("orders", "explain"), ("credits", "approve"), ("enqueue", "fire")])
def test_an_unknown_purchase_order_is_exit_2(shell_there: Shell, command: tuple[str, ...]) -> None:
    """A number that no order has is told with where to look."""
    done = shell_there(*command, "PO-404")

    assert (done.status, done.out) == (2, "")
    assert done.err == "There is no order 'PO-404'; `waybill orders list` shows those there are.\n"


def test_an_unreachable_warehouse_is_exit_3(shell: Shell) -> None:
    """A one-shot command does not wait for better times: it says who could not be reached, and what to check."""
    address = f"http://127.0.0.1:{closed_port()}/api"
    shell.set(LOGISTIC_CLOUD__BASE_URL=address, LOGISTIC_CLOUD__API_KEY=KEY, LOGISTIC_CLOUD__REQUESTS_PER_SECOND="1000")
    done = shell("enqueue", "poll", "--wait")

    assert done.status == 3
    assert len(sentences(done)) == 1
    assert "no connection could be made" in done.err
    assert KEY not in done.err


def test_a_refused_key_is_exit_3(shell: Shell) -> None:
    """401 is told with the remedy, and the key stays secret."""
    with serving(reply(401, {"message": f"bad key {KEY}"})) as warehouse:
        shell.set(LOGISTIC_CLOUD__BASE_URL=f"{warehouse.url}/api", LOGISTIC_CLOUD__API_KEY=KEY)
        done = shell("enqueue", "poll", "--wait")

    assert done.status == 3
    assert len(sentences(done)) == 1
    assert "401" in done.err or "key" in done.err.lower()
    assert KEY not in done.err + done.out


def test_an_unreachable_registry_is_exit_3(shell_there: Shell) -> None:
    """`reconcile` needs the registry and says that it is not there."""
    shell_there.know_registry(f"http://127.0.0.1:{closed_port()}/registry/v0")
    done = shell_there("reconcile")

    assert (done.status, done.out) == (3, "")
    assert len(sentences(done)) == 1
    assert "no connection could be made" in done.err


def test_an_unreachable_database_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    """The address is shown, the password is not."""
    settings = {"DATABASE_URL": f"postgresql://waybill:pass-word@127.0.0.1:{closed_port()}/waybill"}
    done = waybill(tmp_path, "status", settings=settings)

    assert (done.status, done.out) == (4, "")
    assert len(sentences(done)) == 1
    assert "pass-word" not in done.err
