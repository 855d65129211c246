"""Where the listener listens: what the settings say becomes a port, beside the board and apart from it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

import settings
from tests.listener_kit import HEADER, HOST, LOGIN, Ears, call, free_port
from tests.runtime_kit import eventually
from worker import daemon
from worker.app import App
from worker.errors import NotReady

USED = {
    "BARMATE__BASE_URL": f"https://{HOST}/api",
    "BARMATE__TOKEN": "token-of-the-tests",
    "BARMATE__WEBHOOK_HEADER": HEADER.name,
    "BARMATE__WEBHOOK_SECRET": HEADER.secret,
    "BARMATE__WEBHOOK_USER": LOGIN.user,
    "BARMATE__WEBHOOK_PASSWORD": LOGIN.password,
}


@contextmanager
def app_with(folder: Path, **more: str) -> Iterator[App]:
    """A process of the web part's settings."""
    given = {"STATE_DIR": str(folder / "state"), "WEB__PORT": "0", **more}
    loaded = settings.load(environ={f"WAYBILL_{name}": text for name, text in given.items()}, directory=folder)
    with App(loaded, environ={}) as app:
        yield app


@contextmanager
def web_part(folder: Path) -> Iterator[Ears]:
    """`waybill web` with a listener."""
    port = free_port()
    with app_with(folder, **USED, BARMATE__LISTEN_PORT=str(port)) as app:
        part = threading.Thread(target=daemon.web, args=(app,))
        part.start()
        try:
            assert eventually(lambda: _listens(port))
            yield Ears(host="127.0.0.1", port=port, database=app.database, tally=app.listening.tally)
        finally:
            app.stop.request()
            part.join(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_web_part_hears_for_the_account_of_the_settings(tmp_path: Path) -> None:
    """With the credentials of the settings; who reads the orders is another process."""
    with web_part(tmp_path) as heard:
        stranger, barmate = heard.send(call(), headers={HEADER.name: HEADER.secret}), heard.send(call())

        assert (stranger.status, barmate.status) == (401, 200)
        assert heard.hints() == [(HOST, "key-1", "1234", "request-delivery")]


def test_a_database_that_fails_is_a_503_until_it_is_back(tmp_path: Path) -> None:
    """The same call is taken then; the sentence tells nothing of the database."""
    with web_part(tmp_path) as heard:
        _rename(heard, "customer_hints", "away")
        failed = heard.send(call())
        _rename(heard, "away", "customer_hints")
        taken = heard.send(call())

        assert (failed.status, taken.status) == (503, 200)
        assert "waybill.db" not in failed.text
        assert len(heard.hints()) == 1


def _rename(heard: Ears, before: str, after: str) -> None:
    with heard.database.write() as connection:
        connection.execute(sa.text(f"ALTER TABLE {before} RENAME TO {after}"))


def test_a_port_that_is_taken_is_said_with_the_setting_that_names_it(tmp_path: Path) -> None:
    """Not the board's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with (
            app_with(tmp_path, **USED, BARMATE__LISTEN_PORT=port) as app,
            pytest.raises(NotReady, match=rf"Cannot listen on 127.0.0.1, port {port}: .*WAYBILL_BARMATE__LISTEN_PORT"),
        ):
            app.listening.serve()


def test_without_a_port_nothing_is_heard(tmp_path: Path) -> None:
    """Nothing is open that nobody asked for, and the metrics do not speak of it."""
    with app_with(tmp_path) as app:
        assert app.listening.serve() is None
        assert app.listening.calls() == {}
