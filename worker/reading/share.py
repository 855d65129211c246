"""How long a poll goes on with what is pending before the tail comes round again. No I/O."""

# Requests that a poll may spend on what is pending: half a minute at one a second.
FILL_REQUESTS = 30
# It goes on for at least this long, in seconds, where the source allows more than one request a second.
FILL_SECONDS = 5.0
# However slow the server or busy the budget is, the tail comes round again after this long, in seconds.
MOST_FILL_SECONDS = 35.0
# While tails show nothing new a poll may fill up to this many times as much, since each tail is a request more.
MOST_PATIENCE = 16
# But no longer than this, in seconds, nor than the lag: a change is to be seen within a minute, and the guard band has
# to be read once per lag.
QUIET_FILL_SECONDS = 60.0


class Share:
    """The part of each poll that goes to what is pending; it grows while nothing new is seen."""

    def __init__(self, *, lag_seconds: float, requests: int = FILL_REQUESTS, seconds: float = FILL_SECONDS) -> None:
        self._quiet_most = max(MOST_FILL_SECONDS, min(QUIET_FILL_SECONDS, lag_seconds))
        self._requests = requests
        self._seconds = seconds
        self._patience = 1

    def tail_was_read(self, *, quiet: bool) -> None:
        """Whether it showed nothing new."""
        self._patience = min(MOST_PATIENCE, 2 * self._patience) if quiet else 1

    def is_done(self, requests: int, seconds: float) -> bool:
        """Whether so many requests in so many seconds are enough."""
        most = MOST_FILL_SECONDS if self._patience == 1 else self._quiet_most
        enough = requests >= self._requests * self._patience and seconds >= self._seconds * self._patience
        return enough or seconds >= most
