"""The listener for barmate's webhooks: from the settings to what listens, beside the board and apart from it."""

from functools import cached_property

from settings import BarmateSettings
from worker import web
from worker.checkpoints import Checkpoint
from worker.clock import Clock
from worker.customers.hearing import Hearing
from worker.db import Database
from worker.doctor.listener import ListenerCase

# Loopback, as the board: nothing is open to the network by default.
_HOST = "127.0.0.1"


class Listening:
    """Where barmate's calls are heard, if the settings say so."""

    def __init__(self, *, settings: BarmateSettings, database: Database, clock: Clock, checkpoint: Checkpoint) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._checkpoint = checkpoint

    @property
    def host(self) -> str | None:
        """The address it listens on; None where nothing is heard."""
        if self._settings.listen_port is None or not self._settings.in_use:
            return None
        return _HOST if self._settings.listen_host is None else self._settings.listen_host

    @property
    def examined(self) -> ListenerCase | None:
        """What the doctor looks at; None where barmate is not used."""
        found, credentials = self._settings, self.credentials
        if found.host is None or not found.in_use:
            return None
        secrets = [] if credentials.header is None else [len(credentials.header.secret)]
        secrets += [] if credentials.login is None else [len(credentials.login.password)]
        return ListenerCase(account=found.host, host=self.host, port=found.listen_port, secrets=tuple(secrets))

    @cached_property
    def tally(self) -> web.Tally:
        """What this process's calls came to."""
        return web.Tally(self._clock, web.OUTCOMES)

    def calls(self) -> dict[str, int]:
        """Calls by what they came to; nothing where nothing is heard."""
        return {} if self.host is None else self.tally.counts()

    def serve(self) -> web.Served | None:
        """Listen, where the settings say so. Raises NotReady where the address cannot be listened on."""
        account, host, port = self._settings.host, self.host, self._settings.listen_port
        if account is None or host is None or port is None:
            return None
        hearing = Hearing(database=self._database, host=account, checkpoint=self._checkpoint)
        listener = web.Listener(take=hearing.take, credentials=self.credentials, tally=self.tally)
        return web.serve(listener, host, port, web.LISTENER)

    @property
    def credentials(self) -> web.Credentials:
        """What a call must show."""
        found = self._settings
        header = login = None
        if found.webhook_header is not None and found.webhook_secret is not None:
            header = web.SecretHeader(name=found.webhook_header, secret=found.webhook_secret.get_secret_value())
        if found.webhook_user is not None and found.webhook_password is not None:
            login = web.BasicLogin(user=found.webhook_user, password=found.webhook_password.get_secret_value())
        return web.Credentials(header=header, login=login)
