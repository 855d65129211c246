"""What `make run` runs: the daemon with credentials, a rehearsal without, a sentence for settings that are wrong."""

from pathlib import Path

import pytest

from worker import main_job


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's folder without any setting of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WAYBILL_LOGISTIC_CLOUD__API_KEY", raising=False)
    return tmp_path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that were run; each ends with 7."""
    commands: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        commands.append(arguments)
        return 7

    monkeypatch.setattr(main_job, "waybill", run)
    return commands


def test_with_credentials_it_is_the_daemon(folder: Path, ran: list[list[str]]) -> None:
    """Its exit status is passed on."""
    (folder / ".env").write_text(
        "WAYBILL_LOGISTIC_CLOUD__BASE_URL=https://acme.example/api/v1-beta\nWAYBILL_LOGISTIC_CLOUD__API_KEY=key\n"
    )

    assert main_job.main() == 7
    assert ran == [["run"]]


def test_without_credentials_it_says_so_and_rehearses(
    folder: Path, ran: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status of the rehearsal is passed on."""
    assert main_job.main() == 7
    assert ran == [["rehearse"]]
    assert "rehearsing" in capsys.readouterr().out


def test_an_address_without_a_key_is_not_called_nothing(
    folder: Path, ran: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Who copied the example file and forgot the key is told which setting is missing."""
    (folder / ".env").write_text(
        "WAYBILL_LOGISTIC_CLOUD__BASE_URL=https://acme.example/api/v1-beta\nWAYBILL_LOGISTIC_CLOUD__API_KEY=\n"
    )

    assert main_job.main() == 7
    assert ran == [["rehearse"]]
    assert capsys.readouterr().out.startswith("There is an address but no key (WAYBILL_LOGISTIC_CLOUD__API_KEY)")


def test_wrong_settings_run_nothing(folder: Path, ran: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence for each mistake, and exit 2."""
    (folder / ".env").write_text("WAYBILL_LOGISTIC_CLOUD__BASE_URL=acme\n")

    assert main_job.main() == 2
    assert ran == []
    assert "WAYBILL_LOGISTIC_CLOUD__BASE_URL" in capsys.readouterr().err
