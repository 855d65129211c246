"""Each mistake in the settings is one sentence that names the setting and the remedy, and shows no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from settings import SettingsError, load
from settings.catalogue import catalogue
from settings.rules import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

URL = "http:// or https:// address with a host and a valid port"
SENDING = {
    "WAYBILL_CREDITS__MODE": "approve",
    "WAYBILL_CREDITS__MARKER_KEY": "0123456789abcdef",
    "WAYBILL_CREDITS__SINCE": "2026-01-31T00:00:00Z",
    "WAYBILL_ISOMETRIC__ACCESS_TOKEN": "access-token",
    "WAYBILL_ISOMETRIC__CLIENT_SECRET": "client-secret",
}
ONE = "[[accounts]]\nbase_url = 'https://a.example/api'\napi_key = 'k'\n"


def mistakes(directory: Path, environ: dict[str, str]) -> list[str]:
    """Return the sentences that loading ends with."""
    with pytest.raises(SettingsError) as caught:
        load(environ=environ, directory=directory)
    return list(caught.value.sentences)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("WEB__PORT", "many", "must be a port from 0 to 65535."),
        ("WEB__PORT", "65536", "must be a port from 0 to 65535."),
        ("RETENTION__DAYS", "0", "must be a whole number of days from 1 to 36500."),
        ("TASKS__LEASE_SECONDS", "nan", "must be a number of seconds from 0.5 to 3600."),
        ("CREDITS__MODE", "auto", "must be plan, approve or automatic."),
        (
            "CREDITS__MARKER_KEY",
            "short",
            "must be a secret text of at least 16 characters without blanks, kept for ever.",
        ),
        ("CREDITS__SINCE", "yesterday", "must be an ISO 8601 instant such as 2026-01-31T00:00:00Z."),
        (
            "CREDITS__SINCE",
            "2026-01-31T00:00:00",
            "has no time zone; end it with Z for UTC, as in 2026-01-31T00:00:00Z.",
        ),
        ("CREDITS__FACTORS_FILE", "none.csv", "names no file; create it, correct the path, or remove the setting."),
        ("MIGRATE_AT_START", "maybe", "must be true or false."),
        ("STATE_DIR", "~nobody-of-this-name/x", "must be a path."),
        ("ISOMETRIC__BASE_URL", "ftp://api.example/x", f"must be an {URL}."),
        ("ISOMETRIC__BASE_URL", "https://api.example:99999/x", f"must be an {URL}."),
        (
            "ISOMETRIC__BASE_URL",
            "https://me:hunter2@api.example",
            "must not carry a user name or password; remove the part before the @.",
        ),
        (
            "ISOMETRIC__BASE_URL",
            "https://api.example/x?y=1",
            "must end with its path; remove everything from the ? or # on.",
        ),
        ("DATABASE_URL", "mysql://u:hunter2@h/n", "must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME."),
        ("DATABASE_URL", "sqlite://", "must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME."),
        (
            "DATABASE_URL",
            "sqlite:///:memory:",
            "must name a file; a database in memory would forget which credit deliveries were made.",
        ),
        ("REDIS_URL", "http://u:hunter2@h", "must be a redis://, rediss:// or unix:// address."),
        (
            "WEB__TOKEN",
            "two words",
            "is empty or contains blanks, line breaks or non-ASCII characters; copy the value again without them.",
        ),
        (
            "WEB__HOST",
            "0.0.0.0",
            "opens the board to other machines and needs a token; set WAYBILL_WEB__TOKEN, or use 127.0.0.1.",
        ),
        (
            "BARMATE__RESPOND",
            "true",
            (
                "is given, but barmate is not used; "
                "give WAYBILL_BARMATE__BASE_URL and WAYBILL_BARMATE__TOKEN, or remove it."
            ),
        ),
        ("BARMATE__LINK_BY", "po", "must be number, number_external, number_purchase_order or reference."),
        ("BARMATE__WEBHOOK_HEADER", "X Secret", "must be the name of an HTTP header."),
        ("WEBB__PORT", "1", "is not a setting; did you mean WAYBILL_WEB__PORT?"),
        ("web__port", "1", "is not a setting; did you mean WAYBILL_WEB__PORT?"),
        ("QQQQ", "1", "is not a setting; remove it, or see docs/settings.md for the names."),
        ("ACCOUNTS__0__API_KEY", "1", "is not a setting; write [[accounts]] tables in waybill.toml instead."),
    ],
)
def test_a_wrong_variable_is_one_sentence(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    """The sentence begins with the variable's name as it was written."""
    found = mistakes(tmp_path, {f"WAYBILL_{name}": value})

    assert found == [f"WAYBILL_{name} {sentence}"]


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("[web]\nport = 'x'", "web.port in waybill.toml must be a port from 0 to 65535."),
        (
            "[tasks]\nlease_seconds = true",
            "tasks.lease_seconds in waybill.toml must be a number of seconds from 0.5 to 3600.",
        ),
        (
            "[credits]\nsince = 5",
            "credits.since in waybill.toml must be an ISO 8601 instant such as 2026-01-31T00:00:00Z.",
        ),
        ("web = 5", "web in waybill.toml must be a table of settings; write [web] above its keys."),
        ("[web]\nprot = 1", "web.prot in waybill.toml is not a setting; did you mean web.port?"),
        (
            "[logistic_clod]\npage_size = 5",
            "logistic_clod in waybill.toml is not a setting; did you mean [logistic_cloud]?",
        ),
        ("[[account]]\npage_size = 5", "account in waybill.toml is not a setting; did you mean [[accounts]]?"),
        ("[qqqq]\nx = 1", "qqqq in waybill.toml is not a setting; remove it, or see docs/settings.md for the names."),
        ("[web.port]\nx = 1", "web.port in waybill.toml must be a port from 0 to 65535."),
        (
            "x = [",
            (
                "waybill.toml is not valid TOML at end of document; "
                "correct it (texts need quotes, tables need [brackets])."
            ),
        ),
        ("accounts = 3", "accounts in waybill.toml must be tables; write [[accounts]] above the keys of each."),
        (
            "[[accounts]]",
            f"base_url in [[accounts]] table 1 of waybill.toml is missing; give an {URL}.",
        ),
        (
            f"{ONE}[[accounts]]\nbase_url = 'https://b.example'",
            (
                "api_key in [[accounts]] table 2 of waybill.toml is missing; "
                "give the API key of this account, or remove the account."
            ),
        ),
        (
            f"{ONE}{ONE}",
            (
                "base_url in [[accounts]] table 2 of waybill.toml names a host that another account has; "
                "give each host once."
            ),
        ),
        (f"{ONE}apikey = 1", "apikey in [[accounts]] table 1 of waybill.toml is not a setting; did you mean api_key?"),
        (
            f"{ONE}page_size = 251",
            "page_size in [[accounts]] table 1 of waybill.toml must be a whole number of rows from 1 to 250.",
        ),
        ("[web]\ntoken_file = 3", "web.token_file in waybill.toml must be the path of a file, in quotes."),
    ],
)
def test_a_wrong_line_of_the_config_file_is_one_sentence(tmp_path: Path, toml: str, sentence: str) -> None:
    """The sentence names the key path and the file."""
    (tmp_path / "waybill.toml").write_text(toml)

    assert mistakes(tmp_path, {}) == [sentence]


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        (
            ["CREDITS__MARKER_KEY"],
            (
                "WAYBILL_CREDITS__MARKER_KEY is missing, and the mode approve needs it; "
                "make one with `openssl rand -hex 32` and keep it for ever."
            ),
        ),
        (
            ["CREDITS__SINCE"],
            (
                "WAYBILL_CREDITS__SINCE is missing, and the mode approve needs it; "
                "give the instant before which orders were delivered by hand, such as 2026-01-31T00:00:00Z."
            ),
        ),
        (
            ["ISOMETRIC__ACCESS_TOKEN"],
            (
                "WAYBILL_ISOMETRIC__ACCESS_TOKEN is missing; "
                "the registry wants it together with WAYBILL_ISOMETRIC__CLIENT_SECRET."
            ),
        ),
        (
            ["ISOMETRIC__CLIENT_SECRET"],
            (
                "WAYBILL_ISOMETRIC__CLIENT_SECRET is missing; "
                "the registry wants it together with WAYBILL_ISOMETRIC__ACCESS_TOKEN."
            ),
        ),
        (
            ["ISOMETRIC__ACCESS_TOKEN", "ISOMETRIC__CLIENT_SECRET"],
            (
                "WAYBILL_ISOMETRIC__ACCESS_TOKEN and WAYBILL_ISOMETRIC__CLIENT_SECRET are missing, "
                "and the mode approve needs them; give both, or set the mode to plan."
            ),
        ),
    ],
)
def test_a_sending_mode_says_what_it_lacks(tmp_path: Path, left_out: list[str], sentence: str) -> None:
    """Approve and automatic need marker key, start and both registry credentials."""
    environ = {name: value for name, value in SENDING.items() if name.removeprefix("WAYBILL_") not in left_out}

    assert mistakes(tmp_path, environ) == [sentence]


@pytest.mark.parametrize("host", ["api.isometric.com", "api.sandbox.isometric.com"])
@pytest.mark.parametrize("mode", ["approve", "automatic"])
def test_both_registries_take_the_modes_that_send(tmp_path: Path, host: str, mode: str) -> None:
    """With everything they need, they are accepted in the sandbox and in production."""
    environ = {
        **SENDING,
        "WAYBILL_ISOMETRIC__BASE_URL": f"https://{host}/registry/v0",
        "WAYBILL_CREDITS__MODE": mode,
    }

    assert load(environ=environ, directory=tmp_path).credits.mode == mode


def test_redis_with_sqlite_is_refused(tmp_path: Path) -> None:
    """Several processes cannot share SQLite, so Redis needs PostgreSQL."""
    found = mistakes(tmp_path, {"WAYBILL_REDIS_URL": "redis://h/0"})

    assert found == [
        (
            "WAYBILL_REDIS_URL needs PostgreSQL, and the database is SQLite; "
            "set WAYBILL_DATABASE_URL to a postgresql:// address, or remove WAYBILL_REDIS_URL."
        )
    ]


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"WAYBILL_WEBHOOK__URL": "https://h/hook"},
            "WAYBILL_WEBHOOK__SECRET is missing; every body sent to WAYBILL_WEBHOOK__URL is signed with it.",
        ),
        (
            {"WAYBILL_WEBHOOK__SECRET": "whsec_" + "YWFh" * 8},
            (
                "WAYBILL_WEBHOOK__SECRET is given without WAYBILL_WEBHOOK__URL; "
                "give the address as well, or remove the secret."
            ),
        ),
        (
            {"WAYBILL_WEBHOOK__PREVIOUS_SECRET": "whsec_" + "YWFh" * 8},
            (
                "WAYBILL_WEBHOOK__PREVIOUS_SECRET is given without WAYBILL_WEBHOOK__SECRET; "
                "give the current secret as well."
            ),
        ),
        (
            {"WAYBILL_WEBHOOK__URL": "https://h/hook#x", "WAYBILL_WEBHOOK__SECRET": "whsec_" + "YWFh" * 8},
            "WAYBILL_WEBHOOK__URL must not have a fragment; remove everything from the # on.",
        ),
    ],
)
def test_the_webhook_needs_address_and_secret(tmp_path: Path, environ: dict[str, str], sentence: str) -> None:
    """A half-configured target is a mistake, not a silence."""
    assert mistakes(tmp_path, environ) == [sentence]


@pytest.mark.parametrize("secret", ["whsec_YWFh", "whsec_!", "YWFh" * 8, "whsec_" + "YWFh" * 30])
def test_a_webhook_secret_has_the_standard_form(tmp_path: Path, secret: str) -> None:
    """Prefix, base64 and 24 to 64 bytes, as Standard Webhooks wants it."""
    environ = {"WAYBILL_WEBHOOK__URL": "https://h/hook", "WAYBILL_WEBHOOK__SECRET": secret}

    assert mistakes(tmp_path, environ) == [
        "WAYBILL_WEBHOOK__SECRET must be whsec_ followed by the base64 text of 24 to 64 random bytes."
    ]


def test_the_same_host_in_environment_and_config_file_is_a_mistake(tmp_path: Path) -> None:
    """LOGISTIC_CLOUD is an account like those of the tables."""
    (tmp_path / "waybill.toml").write_text(ONE)
    environ = {
        "WAYBILL_LOGISTIC_CLOUD__BASE_URL": "https://A.example:443/other",
        "WAYBILL_LOGISTIC_CLOUD__API_KEY": "k",
    }

    assert mistakes(tmp_path, environ) == [
        "base_url in [[accounts]] table 1 of waybill.toml names a host that another account has; give each host once."
    ]


def test_a_setting_of_an_account_without_address_is_a_mistake(tmp_path: Path) -> None:
    """A key alone would be used by nobody."""
    assert mistakes(tmp_path, {"WAYBILL_LOGISTIC_CLOUD__API_KEY": "k"}) == [
        f"WAYBILL_LOGISTIC_CLOUD__BASE_URL is missing; give an {URL}."
    ]


def test_a_secret_given_twice_is_a_mistake(tmp_path: Path) -> None:
    """Value and file in the same place contradict each other."""
    (tmp_path / "token").write_text("t")
    environ = {"WAYBILL_WEB__TOKEN": "t", "WAYBILL_WEB__TOKEN_FILE": "token"}

    assert mistakes(tmp_path, environ) == [
        "WAYBILL_WEB__TOKEN and WAYBILL_WEB__TOKEN_FILE are both given; remove one of them."
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            None,
            (
                "The file that WAYBILL_WEB__TOKEN_FILE names cannot be read; "
                "check that it exists and that this user may read it."
            ),
        ),
        (b" \n", "The file that WAYBILL_WEB__TOKEN_FILE names is empty; write the secret into it."),
        (b"\xff\xfe", "The file that WAYBILL_WEB__TOKEN_FILE names is not UTF-8 text; save it as UTF-8."),
        (
            b"two\nlines",
            (
                "The content of WAYBILL_WEB__TOKEN_FILE is empty or contains blanks, line breaks "
                "or non-ASCII characters; copy the value again without them."
            ),
        ),
    ],
)
def test_an_unusable_secret_file_is_one_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    """What is wrong with a secret's file is said without its content."""
    if content is not None:
        (tmp_path / "token").write_bytes(content)

    assert mistakes(tmp_path, {"WAYBILL_WEB__TOKEN_FILE": "token"}) == [sentence]


def test_a_config_file_that_is_named_must_exist(tmp_path: Path) -> None:
    """`--config` with a wrong path is not silently ignored."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "none.toml", environ={}, directory=tmp_path)

    assert caught.value.sentences == (
        f"{tmp_path}/none.toml cannot be read; check that it exists and that this user may read it.",
    )


def test_an_unreadable_line_of_dotenv_is_named_by_its_number(tmp_path: Path) -> None:
    """A broken line is a mistake, although other programs would pass over it."""
    (tmp_path / ".env").write_text("WAYBILL_WEB__PORT=1\n'x\n")

    assert mistakes(tmp_path, {}) == [".env line 2 is not NAME=value; correct or remove it."]


def test_an_unknown_name_in_dotenv_says_where_it_stands(tmp_path: Path) -> None:
    """The user learns which file to correct."""
    (tmp_path / ".env").write_text("WAYBILL_WEB__PROT=1\nA_WORD_ALONE\n")

    assert mistakes(tmp_path, {}) == ["WAYBILL_WEB__PROT in .env is not a setting; did you mean WAYBILL_WEB__PORT?"]


def test_no_place_for_a_value_of_the_wrong_kind_is_without_a_sentence(tmp_path: Path) -> None:
    """Whatever setting gets a list instead of a value: its own sentence, by name, and no traceback."""
    for known in catalogue():
        table = "".join(f"[{group}]\n" for group in known.path[:-1])
        address = "base_url = 'https://a.example'\n" if known.path[0] == "logistic_cloud" and not known.required else ""
        (tmp_path / "waybill.toml").write_text(f"{table}{address}{known.path[-1]} = [[]]\n")
        sentence = f"{'.'.join(known.path)} in waybill.toml must be {known.expects}."

        assert mistakes(tmp_path, {}) == [sentence]


def test_no_sentence_shows_a_value(tmp_path: Path) -> None:
    """Whatever is set to a secret by mistake: the error, with its causes, does not repeat it."""
    for known in catalogue():
        environ = {known.environment_name: "hunter2 hunter2"}
        try:
            load(environ=environ, directory=tmp_path)
        except SettingsError as error:
            shown = f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"

            assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.9", True), ("::1", True), ("[::1]", True), ("::", False), ("example.org", False)],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, expected: bool) -> None:  # noqa: FBT001
    """Names other than localhost count as open, since they may resolve to anything."""
    assert is_loopback(host) is expected
