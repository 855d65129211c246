"""What every test may ask for: scratch databases, a Redis, both on real servers."""

import os
import ssl
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from _pytest.terminal import TerminalReporter

from tests.databases import migrated, newest_file
from tests.services import PostgresServer, RedisServer, ServiceMissingError, postgres, redis_server

# A test that runs many combinations records a property that begins so, with their number; the sums are printed.
COUNTED = "counted: "
SQLITE_FILE = "waybill.db"


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print how many combinations of each kind were run, over all test processes."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        counts.update({name: int(str(value)) for name, value in report.user_properties if name.startswith(COUNTED)})
    for name, count in sorted(counts.items()):
        terminalreporter.write_line(f"{name.removeprefix(COUNTED)}: {count} run")


@pytest.fixture(scope="session", autouse=True)
def machine_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment as it was found; in that of the tests a single authority is trusted.

    They talk to loopback without TLS, and every client reads whom to trust: 150 authorities take longer than many a
    test, here and in the processes that are started.
    """
    found = dict(os.environ)
    authority = ssl.DER_cert_to_PEM_cert(httpx.create_ssl_context(trust_env=False).get_ca_certs(binary_form=True)[0])
    file = tmp_path_factory.mktemp("trust") / "authority.pem"
    file.write_text(authority)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield found


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One real PostgreSQL a test process; `process` stops and starts it where it is our own."""
    with postgres(os.environ) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the test's own."""
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / SQLITE_FILE}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database: the test runs once on SQLite and once on PostgreSQL."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture(scope="session")
def postgres_to_copy(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database at the newest revision, to be copied."""
    url = postgres_server.create()
    with migrated(url):
        pass
    yield url
    postgres_server.drop(url)


@pytest.fixture
def migrated_postgres_url(postgres_server: PostgresServer, postgres_to_copy: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the test's own, at the newest revision."""
    url = postgres_server.create(like=postgres_to_copy)
    yield url
    postgres_server.drop(url)


@pytest.fixture
def migrated_sqlite_url(sqlite_url: str, tmp_path: Path) -> str:
    """The URL of an empty SQLite file at the newest revision."""
    (tmp_path / SQLITE_FILE).write_bytes(newest_file())
    return sqlite_url


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """An empty database at the newest revision: the test runs once on SQLite and once on PostgreSQL."""
    fixture = {"sqlite": "migrated_sqlite_url", "postgresql": "migrated_postgres_url"}[request.param]
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture(scope="session")
def redis_service(worker_id: str) -> Iterator[RedisServer]:
    """One real Redis a test process; tests that need it are skipped where there is none."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    try:
        with redis_server(os.environ, number=number) as server:
            yield server
    except ServiceMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def redis_url(redis_service: RedisServer) -> str:
    """The URL of an empty Redis database."""
    redis_service.flush()
    return redis_service.url
