"""The broker: dramatiq, in memory for one process or on Redis for many. It carries hints only.

| database | Redis | broker |
| --- | --- | --- |
| SQLite | no | in memory, one process |
| SQLite | yes | refused by the settings |
| PostgreSQL | no | in memory, one process |
| PostgreSQL | yes | Redis, any number of processes |

dramatiq's own retries, time limits and delays are not used: they throw exceptions into running threads or keep messages
in workers' memory. The list of middleware is therefore empty, and what an actor raises is logged and acknowledged.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

Broker = dramatiq.Broker
# A message is a list of ids for one actor.
Handler = Callable[[list[str]], None]
_Actor = dramatiq.Actor[[list[str]], None]

# Commands in a million that look for messages of dead workers (dramatiq's default of 1 000 takes an idle worker ten
# minutes): with our polling about one look in two seconds and queue.
_MAINTENANCE_CHANCE = 50_000
# Milliseconds that an idle consumer waits at most before it looks again: the latency of a message on Redis.
_IDLE_MILLISECONDS = 100
# Seconds for Redis to answer: it answers in milliseconds or is in trouble.
_REDIS_SECONDS = 10.0
# Seconds between two signs of life on an idle Redis connection: below the usual timeouts of firewalls.
_REDIS_HEALTH_SECONDS = 30


class BrokerUnavailable(Exception):
    """The queue cannot be reached; what was to be sent is sent again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """An actor to be declared: its name, the queue it listens on, what goes first, and what it does."""

    name: str
    queue: str
    priority: int
    handler: Handler


class _Forgotten(list[dramatiq.MessageProxy]):
    """Dead letters of the in-memory broker, which it would keep for ever; ours are rows of `tasks`."""

    def append(self, message: dramatiq.MessageProxy) -> None:
        del message


class _InMemoryBroker(StubBroker):
    def __init__(self) -> None:
        super().__init__(middleware=[])
        for queue in self.dead_letters_by_queue:
            self.dead_letters_by_queue[queue] = _Forgotten()
        self.dead_letters_by_queue.default_factory = _Forgotten


def in_memory_broker() -> Broker:
    """A broker for this process alone."""
    return _InMemoryBroker()


def redis_broker(url: str, *, namespace: str) -> Broker:
    """A broker on Redis. `namespace` keeps several installations on one Redis apart. Opens no connection yet."""
    client = redis.Redis.from_url(
        url,
        socket_timeout=_REDIS_SECONDS,
        socket_connect_timeout=_REDIS_SECONDS,
        health_check_interval=_REDIS_HEALTH_SECONDS,
    )
    # dramatiq leaves this constructor without types.
    broker: Broker = RedisBroker(  # type: ignore[no-untyped-call]
        client=client, namespace=namespace, middleware=[], maintenance_chance=_MAINTENANCE_CHANCE
    )
    return broker


def redis_is_empty(url: str) -> bool:
    """Whether the Redis database holds nothing at all. Raises BrokerUnavailable."""
    try:
        with closing(redis.Redis.from_url(url, socket_timeout=_REDIS_SECONDS)) as client:
            return not client.dbsize()
    except (redis.RedisError, ValueError) as error:
        raise BrokerUnavailable(type(error).__name__) from error


class Queue:
    """What the relay sends through and what the workers of this process listen to."""

    def __init__(self, broker: Broker, posts: Sequence[Post]) -> None:
        self._broker = broker
        self._actors: Mapping[str, dramatiq.Actor[[list[str]], None]] = {
            post.name: _declare(broker, post) for post in posts
        }
        # Nothing is ever delayed, so nobody needs to listen for it.
        broker.delay_queues.clear()

    def send(self, actor: str, ids: Sequence[str]) -> None:
        """Hint at these ids. Raises BrokerUnavailable."""
        try:
            self._actors[actor].send(list(ids))
        except redis.RedisError as error:
            raise BrokerUnavailable(type(error).__name__) from error

    def close(self) -> None:
        """Give back the broker's connections."""
        self._broker.close()


class Workers:
    """The threads of this process that do the work."""

    def __init__(self, broker: Broker, *, threads: int) -> None:
        self._worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=_IDLE_MILLISECONDS)

    def start(self) -> None:
        """Listen on every queue."""
        self._worker.start()

    def stop(self, seconds: float) -> None:
        """Take nothing new and wait that long for what is being done; the rest is sent again by the relay."""
        self._worker.stop(timeout=int(seconds * 1000))


def _declare(broker: Broker, post: Post) -> _Actor:
    return dramatiq.Actor(
        post.handler,
        broker=broker,
        actor_name=post.name,
        queue_name=post.queue,
        priority=post.priority,
        options={},
    )
