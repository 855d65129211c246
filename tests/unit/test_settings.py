"""Where settings come from, which place wins, and what the tree promises."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from settings import Mode, Settings, SettingsError, load
from settings.catalogue import catalogue
from settings.document import PAGE, main, render

ROOT = Path(__file__).parents[2]
ACCOUNT = {
    "WAYBILL_LOGISTIC_CLOUD__BASE_URL": "https://acme.logistic.cloud/api/v1-beta",
    "WAYBILL_LOGISTIC_CLOUD__API_KEY": "key-of-acme",
}
SENDING = {
    "WAYBILL_CREDITS__MODE": "automatic",
    "WAYBILL_CREDITS__MARKER_KEY": "0123456789abcdef",
    "WAYBILL_CREDITS__SINCE": "2026-01-31T00:00:00Z",
    "WAYBILL_ISOMETRIC__ACCESS_TOKEN": "access-token",
    "WAYBILL_ISOMETRIC__CLIENT_SECRET": "client-secret",
}


def test_without_any_setting_the_defaults_of_the_interface_hold(tmp_path: Path) -> None:
    """Nothing has to be set: the tree has the documented defaults and no credentials."""
    settings = load(environ={}, directory=tmp_path)

    assert settings.database_url == f"sqlite:///{tmp_path}/.waybill/waybill.db"
    assert settings.credits.mode is Mode.PLAN
    assert not settings.credits.may_send
    assert (settings.isometric.host, settings.isometric.has_credentials) == ("api.sandbox.isometric.com", False)
    assert (settings.web.host, settings.web.port, settings.tasks.lease_seconds) == ("127.0.0.1", 8470, 30)
    assert (settings.accounts, settings.has_credentials, settings.uses_postgresql) == ((), False, False)


def test_the_environment_wins_over_dotenv_and_dotenv_over_toml(tmp_path: Path) -> None:
    """Each setting comes from the highest place that gives it."""
    (tmp_path / "waybill.toml").write_text("[web]\nport = 1\nhost = 'localhost'\n[tasks]\nlease_seconds = 10\n")
    (tmp_path / ".env").write_text("OTHER=x\nWAYBILL_WEB__PORT=2\nWAYBILL_TASKS__LEASE_SECONDS=20.5\n")
    settings = load(environ={"WAYBILL_WEB__PORT": "3", "HOME": "/"}, directory=tmp_path)

    assert (settings.web.port, settings.tasks.lease_seconds, settings.web.host) == (3, 20.5, "localhost")
    assert settings.sources() == {
        "web.port": "WAYBILL_WEB__PORT",
        "tasks.lease_seconds": "WAYBILL_TASKS__LEASE_SECONDS in .env",
        "web.host": "web.host in waybill.toml",
    }


def test_an_empty_variable_counts_as_not_given(tmp_path: Path) -> None:
    """`NAME=` of a compose file neither sets a value nor hides that of a lower place."""
    (tmp_path / ".env").write_text("WAYBILL_WEB__PORT=2\n")
    settings = load(environ={"WAYBILL_WEB__PORT": "", "WAYBILL_REDIS_URL": ""}, directory=tmp_path)

    assert (settings.web.port, settings.redis_url) == (2, None)


def test_a_named_config_file_replaces_the_usual_one(tmp_path: Path) -> None:
    """With `config`, `waybill.toml` is not read."""
    (tmp_path / "waybill.toml").write_text("[web]\nport = 1\n")
    (tmp_path / "other.toml").write_text("[retention]\ndays = 7\n")
    settings = load(Path("other.toml"), environ={}, directory=tmp_path)

    assert (settings.web.port, settings.retention.days) == (8470, 7)


def test_the_process_environment_and_working_directory_are_the_usual_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without arguments the loader looks where a command was started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAYBILL_WEB__PORT", "4")
    settings = load()

    assert settings.web.port == 4
    assert settings.state_dir == tmp_path / ".waybill"


def test_a_secret_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    """`…_FILE` gives the file's content without the line break at its end, in every place and every account."""
    (tmp_path / "key").write_text("key-from-file\n")
    (tmp_path / "waybill.toml").write_text(
        "[[accounts]]\nbase_url = 'https://b.example/api'\napi_key_file = 'key'\n[logistic_cloud]\napi_key = 'toml'\n"
    )
    environ = {
        "WAYBILL_LOGISTIC_CLOUD__BASE_URL": "https://a.example/api",
        "WAYBILL_LOGISTIC_CLOUD__API_KEY_FILE": str(tmp_path / "key"),
    }
    settings = load(environ=environ, directory=tmp_path)

    assert [secret.get_secret_value() for secret in settings.secrets()] == ["key-from-file", "key-from-file"]


def test_accounts_are_named_after_their_hosts(tmp_path: Path) -> None:
    """The account's name is the host, in lower case, with the port unless it is the usual one."""
    (tmp_path / "waybill.toml").write_text(
        "[[accounts]]\nbase_url = 'http://127.0.0.1:8123/api/v1-beta/'\napi_key = 'b'\n"
        "[[accounts]]\nbase_url = 'http://[::1]:81/'\napi_key = 'c'\n"
        "[[accounts]]\nbase_url = 'https://BETA.logistic.cloud:443/api/v1-beta'\napi_key = 'd'\n"
    )
    settings = load(environ=ACCOUNT, directory=tmp_path)

    assert [account.name for account in settings.accounts] == [
        "acme.logistic.cloud",
        "127.0.0.1:8123",
        "[::1]:81",
        "beta.logistic.cloud",
    ]
    assert settings.accounts[1].base_url == "http://127.0.0.1:8123/api/v1-beta"
    assert settings.has_credentials


def test_an_address_without_a_key_is_not_yet_credentials(tmp_path: Path) -> None:
    """A single account may wait for its key."""
    environ = {"WAYBILL_LOGISTIC_CLOUD__BASE_URL": "https://acme.logistic.cloud/api/v1-beta"}
    settings = load(environ=environ, directory=tmp_path)

    assert not settings.has_credentials
    assert len(settings.accounts) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://u:p@db/waybill", "postgresql+psycopg://u:p@db/waybill"),
        ("postgres://u:p@db/waybill", "postgresql+psycopg://u:p@db/waybill"),
        ("postgresql+psycopg:///waybill?host=/run", "postgresql+psycopg:///waybill?host=/run"),
        ("sqlite:////var/lib/waybill.db", "sqlite:////var/lib/waybill.db"),
    ],
)
def test_a_database_address_is_given_as_the_driver_takes_it(tmp_path: Path, given: str, expected: str) -> None:
    """PostgreSQL addresses get the driver's name; SQLite addresses stay."""
    settings = load(environ={"WAYBILL_DATABASE_URL": given}, directory=tmp_path)

    assert settings.database_url == expected


def test_relative_paths_start_at_the_directory(tmp_path: Path) -> None:
    """A daemon finds its files wherever it was started."""
    (tmp_path / "factors.csv").write_text("article_number,unit,kg_per_unit\n")
    environ = {
        "WAYBILL_STATE_DIR": "state",
        "WAYBILL_CREDITS__FACTORS_FILE": "factors.csv",
        "WAYBILL_DATABASE_URL": "sqlite:///truth.db",
    }
    settings = load(environ=environ, directory=tmp_path)

    assert settings.state_dir == tmp_path / "state"
    assert settings.credits.factors_file == tmp_path / "factors.csv"
    assert settings.database_url == f"sqlite:///{tmp_path}/truth.db"


@pytest.mark.parametrize(
    "toml",
    [
        "since = 2026-01-31T01:00:00+01:00",
        "since = '2026-01-31T00:00:00Z'",
        "since = 2026-01-31",
        "since = '2026-01-31'",
    ],
)
def test_an_instant_is_kept_in_utc(tmp_path: Path, toml: str) -> None:
    """TOML's own instants and ISO 8601 texts mean the same; a date is its first second in UTC."""
    (tmp_path / "waybill.toml").write_text(f"[credits]\n{toml}\n")
    settings = load(environ={}, directory=tmp_path)

    assert settings.credits.since == datetime(2026, 1, 31, tzinfo=UTC)


def test_sending_is_possible_in_the_sandbox_once_all_it_needs_is_there(tmp_path: Path) -> None:
    """Mode automatic loads with key, start and credentials."""
    settings = load(environ=SENDING, directory=tmp_path)

    assert settings.credits.may_send
    assert settings.isometric.has_credentials


def test_variables_of_the_test_suite_are_ignored(tmp_path: Path) -> None:
    """WAYBILL_TEST_ variables are not settings and no mistakes."""
    settings = load(environ={"WAYBILL_TEST_DATABASE_URL": "x"}, directory=tmp_path)

    assert settings.sources() == {}


def test_no_secret_is_shown_by_the_tree(tmp_path: Path) -> None:
    """Neither repr nor JSON of the settings holds a secret, database and Redis passwords included."""
    environ = {**ACCOUNT, **SENDING, "WAYBILL_WEB__TOKEN": "token-of-web"}
    environ |= {"WAYBILL_DATABASE_URL": "postgresql://u:db-pass@h/n", "WAYBILL_REDIS_URL": "redis://:redis-pass@h/0"}
    settings = load(environ=environ, directory=tmp_path)
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {settings.sources()}"

    secrets = [secret.get_secret_value() for secret in settings.secrets()]
    assert len(secrets) == 7
    assert not [secret for secret in [*secrets, "db-pass", "redis-pass"] if secret in shown]


def test_the_tree_is_frozen(tmp_path: Path) -> None:
    """No part of the program can change a setting for the others."""
    settings = load(environ={}, directory=tmp_path)

    with pytest.raises(ValueError, match="frozen"):
        settings.web.port = 1


def test_only_the_loader_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree that is built directly is not changed by the process's environment."""
    monkeypatch.setenv("WEB__PORT", "5")
    monkeypatch.setenv("STATE_DIR", "elsewhere")

    assert Settings().state_dir == Path(".waybill")


def test_every_setting_has_its_words() -> None:
    """Each setting says in a sentence what it is for, and what its value must be."""
    for known in catalogue():
        assert known.about.endswith("."), known.path
        assert known.expects, known.path


def test_the_page_of_settings_is_up_to_date(tmp_path: Path) -> None:
    """docs/settings.md is what `python -m settings.document` writes."""
    main([str(tmp_path / "page.md")])

    assert (ROOT / PAGE).read_text(encoding="utf-8") == (tmp_path / "page.md").read_text(encoding="utf-8") == render()


def test_an_error_keeps_its_sentences_apart(tmp_path: Path) -> None:
    """All mistakes are reported at once, one line each."""
    environ = {"WAYBILL_WEB__PORT": "x", "WAYBILL_RETENTION__DAYS": "0"}

    with pytest.raises(SettingsError) as caught:
        load(environ=environ, directory=tmp_path)
    assert str(caught.value).splitlines() == list(caught.value.sentences)
    assert len(caught.value.sentences) == 2
