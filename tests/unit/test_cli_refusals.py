from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli_kit import Shell
from tests.order_kit import CREDIT_ORDER
from worker.__main__ import guarded

LINKS = f"purchase_order,credit_order_id,credit_kg\nPO-1,{CREDIT_ORDER},5\n"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in an empty folder."""
    return Shell(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("enqueue", "poll"), "No logistic.cloud account with a key is configured; set WAYBILL_LOGISTIC_CLOUD"),
        (("enqueue", "mirror", "evt_1"), "No receiver is configured, so nothing can be mirrored; set"),
        (("enqueue", "reconcile"), "No registry credentials are configured; set WAYBILL_ISOMETRIC__ACCESS_TOKEN"),
        (("enqueue", "fire", "PO-9"), "There is no order 'PO-9'; `waybill orders list`"),
        (("enqueue", "backfill", "--since", "2026-03-02", "--until", "2026-03-01"), "--until 2026-03-01T00:00:00Z is"),
        (("webhook", "test"), "No receiver is configured; set WAYBILL_WEBHOOK__URL"),
        (("webhook", "enable"), "No receiver is configured; set WAYBILL_WEBHOOK__URL"),
        (("reconcile",), "Reconciling needs registry credentials: set"),
        (("reconcile", "close", "mis_1", "--because", "x"), "There is no open mismatch mis_1;"),
        (("credits", "plan", "PO-9"), "There is no order 'PO-9';"),
        (("credits", "dismiss", "dlv_1"), "dlv_1 is not in the mirrored ledger;"),
        (("orders", "import", "none.csv"), "none.csv cannot be read: No such file or directory."),
        (("run",), "There are no credentials: set WAYBILL_LOGISTIC_CLOUD__BASE_URL"),
        (("scheduler",), "`waybill scheduler` is for several processes: set WAYBILL_DATABASE_URL"),
        (("work",), "`waybill work` is for several processes: set WAYBILL_DATABASE_URL"),
        (("work", "--processes", "2"), "`waybill work` is for several processes: set WAYBILL_DATABASE_URL"),
        (("rehearse", "--faults", "nonsense"), "--faults: "),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_exit_2(
    shell: Shell, arguments: tuple[str, ...], sentence: str
) -> None:
    """The sentence names what is wrong and the remedy; nothing is printed besides."""
    done = shell(*arguments)

    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(sentence)
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("orders", "import"), "Missing argument 'FILE'"),
        (("orders", "list", "--state", "nonsense"), "'nonsense' is not one of: open"),
        (("deliveries", "list", "--limit", "0"), "Invalid value for '--limit'"),
        (("enqueue", "backfill", "--since", "soon", "--until", "2026-03-01"), "'soon' is not an instant"),
        (("credits", "resolve", "PO-1", "--because", "x", "--as", "gone"), "'gone' is not one of 'confirmed'"),
    ],
)
def test_a_command_line_that_does_not_fit_is_exit_2(shell: Shell, arguments: tuple[str, ...], complaint: str) -> None:
    """The library's own complaints have the same exit status, and nothing is made on disk."""
    done = shell(*arguments)

    assert done.status == 2
    assert complaint in done.err
    assert not (shell.folder / ".waybill").exists()


def test_a_state_directory_that_cannot_be_made_is_told(shell: Shell) -> None:
    """A file in the way of the folder is one sentence."""
    (shell.folder / ".waybill").write_text("in the way")
    done = shell("deliveries", "list")

    assert done.status == 2
    assert "cannot be made" in done.err


def test_migrations_can_be_switched_off_and_done_by_hand(shell: Shell) -> None:
    """Without MIGRATE_AT_START a command names `db upgrade`, which then makes the schema."""
    shell.set(MIGRATE_AT_START="false")
    before = shell("deliveries", "list")
    upgraded = shell("db", "upgrade")

    assert before.status == 2
    assert before.err.rstrip().endswith("run `waybill db upgrade`.")
    assert upgraded.out.startswith("The database is at revision ")
    assert shell("deliveries", "list").status == 0


def test_a_settings_file_may_be_named_before_and_behind_the_command(shell: Shell) -> None:
    """`--config FILE` works everywhere; the one behind the command goes first."""
    (shell.folder / "one.toml").write_text('state_dir = "one"\n')
    (shell.folder / "two.toml").write_text('state_dir = "two"\n')

    assert shell("--config", "one.toml", "status").status == 0
    assert (shell.folder / "one" / "waybill.db").exists()
    assert shell("--config", "one.toml", "status", "--config", "two.toml").status == 0
    assert (shell.folder / "two" / "waybill.db").exists()
    assert shell("status", "--config", "none.toml").status == 2


def test_automatic_mode_wants_the_count_of_deliveries_in_a_link(shell: Shell) -> None:
    """The import knows the mode of the settings."""
    (shell.folder / "links.csv").write_text(LINKS)
    shell.set(
        CREDITS__MODE="automatic",
        CREDITS__MARKER_KEY="a-marker-key-of-the-tests",
        CREDITS__SINCE="2026-01-01",
        ISOMETRIC__ACCESS_TOKEN="token-of-the-tests",
        ISOMETRIC__CLIENT_SECRET="secret-of-the-tests",
    )
    done = shell("orders", "import", "links.csv")

    assert done.status == 2
    assert "expected_deliveries" in done.err


def _raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def test_an_internal_error_is_one_sentence_without_values(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake of ours shows neither a traceback nor what the values were."""
    status = guarded(_raising(ValueError("secret-value")))
    told = capsys.readouterr().err

    assert status == 4
    assert told == "Internal error (ValueError); with WAYBILL_LOG__LEVEL=debug the log holds the details.\n"


def test_an_interrupted_command_is_exit_130() -> None:
    """As a shell reports what Ctrl-C ended."""
    assert guarded(_raising(KeyboardInterrupt())) == 130


@pytest.mark.parametrize(("code", "status"), [(None, 0), (1, 1), ("a text", 4)])
def test_an_exit_keeps_its_status(code: object, status: int) -> None:
    """Whatever ends the process decides its status."""
    assert guarded(_raising(SystemExit(code))) == status
