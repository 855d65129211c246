"""The servers that the other tests rely on."""

import psycopg
import pytest
import redis
import sqlalchemy as sa

from tests.services import PostgresServer, RedisServer


def test_a_test_gets_an_empty_database_of_its_own(database_url: str) -> None:
    """Whatever another test left behind is not there."""
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE mine (id integer)"))
    tables = sa.inspect(engine).get_table_names()
    engine.dispose()

    assert tables == ["mine"]


def test_postgresql_keeps_its_data_over_a_restart(postgres_server: PostgresServer, postgres_url: str) -> None:
    """A fault test may restart our own server: what was committed is still there."""
    if postgres_server.process is None:
        pytest.skip("The PostgreSQL in use is somebody else's: not ours to restart.")
    plain = postgres_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(plain) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")

    postgres_server.process.stop()
    postgres_server.process.start()

    with psycopg.connect(plain) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_a_test_gets_an_empty_redis(redis_service: RedisServer, redis_url: str) -> None:
    """The Redis of a test holds nothing, whatever was in it before."""
    with redis.Redis.from_url(redis_url) as client:
        client.set("left", "behind")
        redis_service.flush()

        assert client.dbsize() == 0
