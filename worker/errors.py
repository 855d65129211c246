"""The worker's own few errors. What a remote system does wrong is in `connectors.errors`."""


class WaybillError(Exception):
    """Root of the errors that the command line shows as one sentence."""

    exit_status = 4

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class UsageError(WaybillError):
    """Bad input or configuration: the sentence names the field and the remedy; nothing was changed."""

    exit_status = 2


class NotReady(WaybillError):
    """The environment does not allow it now (another daemon, a database of another registry)."""

    exit_status = 2


class DatabaseUnavailable(WaybillError):
    """The database cannot be reached, read or written; `remedy` says what a person can do about it."""

    exit_status = 4

    def __init__(self, where: str, why: str, remedy: str = "") -> None:
        first_line = why.strip().splitlines()[0] if why.strip() else "no reason given"
        told = f"The database {where} cannot be used: {first_line.rstrip('.')}."
        super().__init__(f"{told} {remedy}" if remedy else told)


class DatabaseOutOfReach(DatabaseUnavailable):
    """The place that the settings name for it is none that this user may write to."""

    exit_status = 2


class LostClaim(Exception):
    """Somebody else holds this task now: what we did about it must not be committed."""


class BrokenInvariant(Exception):
    """Something that must never be true is true; firing freezes."""
