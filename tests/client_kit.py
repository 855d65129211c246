"""What tests of connectors need: a client without waiting, and a record of what it waited and took."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from connectors.client import MAX_BODY_BYTES, HttpClient
from connectors.policy import Observation, RetryPolicy, Timeouts

SECRET = "s3cret-key-value"


@dataclass
class CountedTurns:
    """A budget that never blocks and remembers what it was told."""

    taken: int = 0
    throttlings: list[float | None] = field(default_factory=list)

    def take(self) -> int:
        """Return the next number."""
        self.taken += 1
        return self.taken

    def throttled(self, retry_after: float | None) -> None:
        """Remember the wish."""
        self.throttlings.append(retry_after)


@dataclass
class Kit:
    """Makes clients and holds what they did."""

    turns: CountedTurns = field(default_factory=CountedTurns)
    waits: list[float] = field(default_factory=list)
    observed: list[Observation] = field(default_factory=list)

    def client(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        retries: RetryPolicy | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        clock: Callable[[], float] | None = None,
        secrets: Iterable[str] = (),
    ) -> HttpClient:
        """Return a client whose waits take no time."""
        chosen = {"X-Api-Key": SECRET} if headers is None else headers
        extra = {} if clock is None else {"clock": clock}
        return HttpClient(
            system="test system",
            base_url=base_url,
            headers=chosen,
            turns=self.turns,
            random=Random(1),  # noqa: S311 - jitter guards nothing
            sleep=self.waits.append,
            timeouts=timeouts,
            retries=retries,
            max_body_bytes=max_body_bytes,
            observe=self.observed.append,
            secrets=secrets,
            **extra,
        )
