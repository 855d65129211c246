"""Writing at the accounts: from the settings to the service that takes intents on."""

from collections.abc import Callable, Mapping

from settings import Settings
from worker.app.clients import Clients
from worker.app.following import Following
from worker.checkpoints import Checkpoint
from worker.db import Database
from worker.runtime.closing import Closing
from worker.tasks import Claim, Tasks
from worker.work import Outcome
from worker.writing.intents import Asked, Intents
from worker.writing.preview import preview
from worker.writing.sender import Sender
from worker.writing.service import WritingService
from worker.writing.source_look import SourceLook


class Writing:
    """Intents of this process, and what does them."""

    def __init__(
        self,
        *,
        settings: Settings,
        clients: Clients,
        database: Database,
        following: Following,
        tasks: Tasks,
        identity: Callable[[], str],
        checkpoint: Checkpoint,
    ) -> None:
        made = {account.name: clients.writer(account) for account in settings.accounts}
        writers = {name: writer for name, writer in made.items() if writer is not None}
        self.intents = Intents(tasks=tasks, identity=identity)
        self.look = SourceLook(sources=following.sources, recorder=following.recorder, database=database)
        self._service = WritingService(
            database=database,
            intents=self.intents,
            look=self.look,
            sender=Sender(writers=writers),
            checkpoint=checkpoint,
        )

    def advance(self, claim: Claim, closing: Closing) -> Outcome:
        """Go on with the intent that the task names."""
        return self._service.advance(str(claim.payload["write"]), claim.attempts, closing)

    def preview(self, asked: Asked) -> Mapping[str, object]:
        """What would be sent now, or why nothing would; asks the source, sends nothing. Raises ConnectorError."""
        return preview(self.look, asked)
