"""The frozen tree of settings: names, kinds, bounds and defaults, as DESIGN §8 lists them.

A group is one level (`WEB__PORT`, `[web] port`). What settings mean together is checked in `settings.rules`;
where they come from is the affair of `settings.load`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, PrivateAttr, SecretStr
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from settings.barmate import BarmateSettings
from settings.groups import (
    AccountSettings,
    CreditsSettings,
    IsometricSettings,
    LogSettings,
    RetentionSettings,
    TasksSettings,
    WebhookSettings,
    WebSettings,
)
from settings.values import YES_OR_NO, DatabaseUrl, LocalPath, RedisUrl, setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# One file beside the state: nothing to install, nothing to name.
DATABASE_FILE = "waybill.db"


class Settings(BaseSettings):
    """Everything that the operator can set. Immutable; secrets are masked wherever it is shown."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Hidden and relative: an operator's folder holds it beside waybill.toml.
    state_dir: LocalPath = setting(
        Path(".waybill"), expects="a path", about="Folder for the lock and, without DATABASE_URL, the database."
    )
    database: DatabaseUrl | None = setting(
        None,
        alias="database_url",
        expects="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME",
        about="Database; unset means the SQLite file waybill.db in the state directory.",
    )
    redis_url: RedisUrl | None = setting(
        None,
        expects="a redis://, rediss:// or unix:// address",
        about="Redis for the queue, together with PostgreSQL; unset means the in-memory queue of one process.",
    )
    # On: an upgrade is one restart.
    migrate_at_start: bool = setting(
        default=True, expects=YES_OR_NO, about="Whether the database is migrated at start, under a lock."
    )
    logistic_cloud: AccountSettings | None = setting(
        None, expects="a table of settings", about="One logistic.cloud account."
    )
    account_tables: tuple[AccountSettings, ...] = setting(
        (), alias="accounts", expects="tables of settings", about="Further logistic.cloud accounts."
    )
    barmate: BarmateSettings = BarmateSettings()
    isometric: IsometricSettings = IsometricSettings()
    credits: CreditsSettings = CreditsSettings()
    webhook: WebhookSettings = WebhookSettings()
    web: WebSettings = WebSettings()
    tasks: TasksSettings = TasksSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()

    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library calls by keyword
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take `layers` (highest first) as the sources, so that nothing but the loader reads the environment."""
        given = init_settings()
        if "layers" not in given:
            return (init_settings,)
        return tuple(InitSettingsSource(settings_cls, init_kwargs=layer) for layer in given["layers"])

    @classmethod
    def from_layers(cls, layers: tuple[dict[str, Any], ...]) -> Settings:
        """Merge nested layers, the first wins, and validate the result; raises pydantic's ValidationError."""
        return cls.model_validate({"layers": layers})

    @property
    def accounts(self) -> tuple[AccountSettings, ...]:
        """All logistic.cloud accounts: LOGISTIC_CLOUD first, then the tables, in their order."""
        single = () if self.logistic_cloud is None else (self.logistic_cloud,)
        return single + self.account_tables

    @property
    def has_credentials(self) -> bool:
        """Whether there is an account and its key, so that the daemon has something to do."""
        return any(account.api_key is not None for account in self.accounts)

    @property
    def database_url(self) -> str:
        """The database's address as SQLAlchemy takes it. It may hold a password: never show it."""
        if self.database is None:
            return f"sqlite:///{self.state_dir / DATABASE_FILE}"
        return self.database.get_secret_value()

    @property
    def uses_postgresql(self) -> bool:
        """Whether the database is PostgreSQL (else it is SQLite)."""
        return self.database_url.startswith("postgresql")

    def sources(self) -> Mapping[str, str]:
        """Say for each setting that was given where it came from: environment name or key path, and the file."""
        return self._sources

    def remember_sources(self, sources: Mapping[str, str]) -> None:
        """Keep what `sources` says; for the loader."""
        self._sources = sources

    def secrets(self) -> tuple[SecretStr, ...]:
        """Return every secret in the tree, to be registered with the log."""
        return tuple(_secrets_in(self))


def _secrets_in(value: object) -> Iterator[SecretStr]:
    if isinstance(value, SecretStr):
        yield value
    elif isinstance(value, BaseModel):
        for _, inner in value:
            yield from _secrets_in(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _secrets_in(inner)
