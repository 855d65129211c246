"""Redis, where it is used: reachable, and set up so that it deletes no message by itself."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, cast

import redis

from worker.doctor.finding import Finding, Level, note, ok, warning

CHECK = "redis"
# Seconds for Redis to answer: it answers in milliseconds or is in trouble.
_SECONDS = 5.0
_POLICY = "noeviction"


def examine_queue(url: str | None) -> Iterator[Finding]:
    """Look at its policy; the address may hold a password and is never shown."""
    if url is None:
        yield ok(CHECK, "the queue is in memory: one process")
        return
    try:
        with closing(redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)) as client:
            told = cast("Mapping[str, Any]", client.info())
    except (redis.RedisError, ValueError) as error:
        says = f"it cannot be asked ({type(error).__name__})"
        yield Finding(check=CHECK, level=Level.REMOTE, says=says, do="check REDIS_URL and whether Redis runs")
        return
    yield from _judged(told)


def _judged(told: Mapping[str, Any]) -> Iterator[Finding]:
    policy = told.get("maxmemory_policy")
    if policy == _POLICY:
        yield ok(CHECK, "its policy is noeviction")
    else:
        says = f"its policy is {policy}: it may delete messages silently, which costs latency"
        yield warning(CHECK, says, "set maxmemory-policy to noeviction")
    if not told.get("aof_enabled"):
        says = "it keeps no append-only file: a restart empties the queue, which costs latency and loses nothing"
        yield note(CHECK, says, "set appendonly to yes")
