"""Read the settings: environment over `.env` over `waybill.toml`, validated as a whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr, ValidationError

from settings.catalogue import ACCOUNTS, account_catalogue, by_path, catalogue
from settings.errors import SettingsError
from settings.layers import Layer, from_dotenv, from_environment, from_toml
from settings.rules import CONFIG_FILE, Names, broken_rules
from settings.tree import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

DOTENV_FILE = ".env"
SQLITE = "sqlite:///"


def load(
    config: Path | None = None, environ: Mapping[str, str] | None = None, directory: Path | None = None
) -> Settings:
    """Return the validated settings.

    `config` replaces `waybill.toml` and must exist; `environ` replaces the process's environment; `directory`
    (default: the working directory) holds `.env` and `waybill.toml`, and relative paths start there.
    Raises `SettingsError` with a sentence per mistake; no sentence repeats a value.
    """
    place = Path.cwd() if directory is None else directory.absolute()
    variables = os.environ if environ is None else environ
    layers = (
        from_environment(variables, place),
        from_dotenv(place / DOTENV_FILE, place),
        _toml_layer(config, place),
    )
    names = Names(_written(layers), CONFIG_FILE if config is None else str(config))
    settings, mistakes = _validated(layers, names, place)
    mistakes = [*(mistake for layer in layers for mistake in layer.mistakes), *mistakes]
    if settings is None or mistakes:
        raise SettingsError(tuple(dict.fromkeys(mistakes)))
    return settings


def _toml_layer(config: Path | None, place: Path) -> Layer:
    if config is not None:
        return from_toml(place / config.expanduser(), place, shown=str(config))
    file = place / CONFIG_FILE
    return from_toml(file, place, shown=CONFIG_FILE) if file.exists() else Layer()


def _written(layers: tuple[Layer, ...]) -> dict[tuple[str | int, ...], str]:
    merged: dict[tuple[str | int, ...], str] = {}
    for layer in reversed(layers):
        merged |= layer.written
    return merged


def _validated(layers: tuple[Layer, ...], names: Names, place: Path) -> tuple[Settings | None, list[str]]:
    try:
        settings = Settings.from_layers(tuple(layer.nested() for layer in layers))
    except ValidationError as error:
        # Only words of ours leave this place: pydantic's report holds the values.
        return None, [_sentence(details, names) for details in error.errors()]
    anchored = _anchored(settings, place)
    anchored.remember_sources({".".join(map(str, path)): written for path, written in names.written.items()})
    return anchored, list(broken_rules(anchored, names))


def _sentence(details: ErrorDetails, names: Names) -> str:
    path = details["loc"]
    name = names.of(*path)
    if details["type"] == "phrase":
        return f"{name} {details['msg']}."
    expects = _expects(path)
    if details["type"] == "missing":
        return f"{name} is missing; give {expects}."
    return f"{name} must be {expects}."


def _expects(path: tuple[str | int, ...]) -> str:
    texts = tuple(part for part in path if isinstance(part, str))
    if texts[0] == ACCOUNTS:
        return by_path(account_catalogue())[texts[1:]].expects
    return by_path(catalogue())[texts].expects


def _anchored(settings: Settings, place: Path) -> Settings:
    """Make relative paths start at `place`, so that a daemon does not depend on where it was started."""
    changes: dict[str, object] = {"state_dir": place / settings.state_dir}
    if settings.database is not None and not settings.uses_postgresql:
        database = settings.database.get_secret_value().removeprefix(SQLITE)
        changes["database"] = SecretStr(f"{SQLITE}{place / database}")
    if settings.credits.factors_file is not None:
        file = place / settings.credits.factors_file
        changes["credits"] = settings.credits.model_copy(update={"factors_file": file})
    return settings.model_copy(update=changes)
