"""The doctor of this process: from settings to everything that it looks at."""

from collections.abc import Iterator
from datetime import datetime

from settings import Settings
from worker.app.opening import identity
from worker.app.root import App
from worker.doctor.accounts import AccountCase, examine_accounts
from worker.doctor.barmate import examine_barmate
from worker.doctor.expiry import token_expiry
from worker.doctor.finding import Finding, ok, problem
from worker.doctor.listener import examine_listener
from worker.doctor.queue import examine_queue
from worker.doctor.registry import RegistryCase, examine_registry
from worker.doctor.replay_probe import ReplayProbe
from worker.doctor.responses import examine_responses
from worker.doctor.sending import MirrorCase, examine_mirror, examine_policy
from worker.doctor.storage import examine_brakes, examine_database, examine_links
from worker.errors import UsageError


def examine(here: App, revision: str | None) -> Iterator[Finding]:
    """Look at everything, what is quick first. Raises DatabaseUnavailable; `revision` is the schema's."""
    settings, database, clock = here.settings, here.database, here.clock
    yield ok("settings", f"{len(settings.sources())} settings are given, and fit together")
    yield from examine_database(database, clock, revision)
    yield from examine_brakes(database)
    yield from examine_links(database)
    redis_url = settings.redis_url
    yield from examine_queue(None if redis_url is None else redis_url.get_secret_value())
    url = settings.webhook.url
    yield from examine_mirror(MirrorCase(url=None if url is None else str(url)), database)
    yield from examine_accounts(_accounts(here), clock)
    yield from examine_barmate(here.customers.examined)
    yield from examine_responses(here.answering.terms, database)
    yield from examine_listener(here.listening.examined, database)
    try:
        firing = here.crediting.firing
    except UsageError as error:
        yield problem("factors", error.sentence, "correct the file that CREDITS__FACTORS_FILE names")
        return
    yield from examine_policy(here.crediting.policy, database)
    yield from examine_registry(
        RegistryCase(account=firing.account, token_expires=_token_expires(settings)), database, clock
    )


def replay_probe(here: App) -> ReplayProbe:
    """The probe of the registry's sandbox."""
    firing = here.crediting.firing
    return ReplayProbe(
        database=here.database,
        account=firing.account,
        ledger=firing.ledger,
        brakes=firing.brakes,
        person=firing.person,
        clock=here.clock,
        identity=identity,
        timeout_seconds=here.settings.isometric.timeout_seconds,
    )


def _accounts(here: App) -> tuple[AccountCase, ...]:
    sources = here.following.sources
    return tuple(
        AccountCase(
            name=one.name,
            source=sources.get(one.name),
            writes=here.clients.writer(one),
            key_expires=one.api_key_expires,
        )
        for one in here.settings.accounts
    )


def _token_expires(settings: Settings) -> datetime | None:
    token = settings.isometric.access_token
    return None if token is None else token_expiry(token.get_secret_value())
