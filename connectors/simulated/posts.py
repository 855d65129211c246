"""A writing call with everything that can go wrong around it: before it takes effect, after that, and long after."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from http import HTTPStatus
from typing import Generic, TypeVar

from connectors.simulated import replies
from connectors.simulated.chances import drawn
from connectors.simulated.http_server import Reply
from connectors.simulated.switches import AnyService, Panel, PostFault, take_scripted

AnyPost = TypeVar("AnyPost")


class Posts(ABC, Generic[AnyPost, AnyService]):
    """Chooses each writing call's fault and does what it says; a system says how it commits, and keeps its ledger."""

    def __init__(self, panel: Panel[AnyService], *, chance: random.Random) -> None:
        """Go by ``panel``; ``chance`` draws the faults."""
        self._panel = panel
        self._chance = chance
        self._timers: list[threading.Timer] = []
        self._acts: dict[PostFault, Callable[[AnyPost], Reply]] = {
            PostFault.REFUSE_BEFORE_COMMIT: lambda _post: self.server_error(),
            PostFault.DROP_BEFORE_COMMIT: lambda _post: replies.no_answer(),
            PostFault.HANG_BEFORE_COMMIT: lambda _post: self._hang(),
            PostFault.COMMIT_THEN_DROP: lambda post: self._after(post, replies.no_answer()),
            PostFault.COMMIT_THEN_500: lambda post: self._after(post, self.server_error()),
            PostFault.COMMIT_THEN_HANG: lambda post: self._after(post, self._hang()),
            PostFault.COMMIT_LATE: self._commit_late,
            PostFault.THROTTLE_BEFORE_COMMIT: lambda _post: self.throttled(),
            PostFault.THROTTLE_AFTER_COMMIT: lambda post: self._after(post, self.throttled()),
            PostFault.BROKEN_JSON: lambda post: self._broken(self._commit(post)),
            PostFault.GATEWAY_TWICE: self._twice,
            PostFault.FOREIGN_404: lambda _post: replies.page(HTTPStatus.NOT_FOUND),
        }

    @property
    def pending(self) -> bool:
        """Whether a late commit is still to come."""
        return any(timer.is_alive() for timer in self._timers)

    def stop(self) -> None:
        """Let no late commit happen any more."""
        for timer in self._timers:
            timer.cancel()

    def server_error(self) -> Reply:
        """Return this system's 500."""
        return replies.server_error()

    def throttled(self) -> Reply:
        """Return this system's 429, with ``Retry-After`` where the switch says so."""
        reply = self._too_many()
        return replies.come_back(reply) if self._panel.now.retry_after else reply

    @abstractmethod
    def _commit(self, post: AnyPost) -> Reply:
        """Let a call take effect, note it, and return the answer of a good day."""

    def _fault(self) -> PostFault:
        """Return the scripted fault of the next call, or draw one."""
        scripted = take_scripted(self._panel)
        if scripted is not None:
            return scripted
        fault = drawn(self._panel.now.post_faults, self._chance)
        return PostFault.NONE if fault is None else fault

    def _met(self, fault: PostFault, post: AnyPost) -> Reply:
        """Answer a call that meets ``fault``; one that this system cannot have (it knows no kilograms) is none."""
        return self._acts.get(fault, self._commit)(post)

    def _too_many(self) -> Reply:
        return replies.throttled()

    def _hang(self) -> Reply:
        return replies.no_answer(after_seconds=self._panel.now.hang_seconds)

    def _after(self, post: AnyPost, reply: Reply) -> Reply:
        """Commit, then answer ``reply`` whatever came of it."""
        self._commit(post)
        return reply

    def _commit_late(self, post: AnyPost) -> Reply:
        return self._later(lambda: self._commit(post))

    def _later(self, commit: Callable[[], object]) -> Reply:
        """Let ``commit`` happen when the client has gone."""
        timer = threading.Timer(self._panel.now.late_commit_seconds, commit)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()
        return replies.no_answer()

    def _broken(self, reply: Reply) -> Reply:
        return replies.halved(reply)

    def _twice(self, post: AnyPost) -> Reply:
        """Do what a gateway does that sends a request again: the client sees the second answer only."""
        self._commit(post)
        return self._commit(post)
