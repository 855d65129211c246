"""Every setting there is, as a flat list: how each is written in the environment and in `waybill.toml`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar, get_args

from pydantic import BaseModel, SecretStr

from settings.groups import AccountSettings
from settings.tree import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

PREFIX = "WAYBILL_"
NESTING = "__"
FILE_SUFFIX = "_file"
ACCOUNTS = "accounts"
ACCOUNT_GROUP = "logistic_cloud"
# Below this likeness a suggested name would be a guess.
SUGGESTION_LIKENESS = 0.7

Path = tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One setting: `path` is its key path, `expects` and `about` are the words of its declaration."""

    path: Path
    secret: bool
    required: bool
    default: object
    expects: str
    about: str

    @property
    def environment_name(self) -> str:
        """The name of its environment variable."""
        return environment_name(self.path)

    @property
    def file_path(self) -> Path:
        """The key path of the setting that names a file with this secret."""
        return (*self.path[:-1], self.path[-1] + FILE_SUFFIX)


def environment_name(path: Iterable[str]) -> str:
    """Return the environment variable of a key path."""
    return PREFIX + NESTING.join(path).upper()


@cache
def catalogue() -> tuple[Known, ...]:
    """Return all settings in the order of the tree; an account's stand under LOGISTIC_CLOUD."""
    return tuple(_settings_of(Settings, ()))


@cache
def account_catalogue() -> tuple[Known, ...]:
    """Return the settings of one `[[accounts]]` table; paths are single keys."""
    return tuple(_settings_of(AccountSettings, ()))


def by_path(settings: Iterable[Known]) -> dict[Path, Known]:
    """Index settings by their own key path and, for secrets, by that of the file that may hold them."""
    index = {}
    for known in settings:
        index[known.path] = known
        if known.secret:
            index[known.file_path] = known
    return index


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that was probably meant, if any is near enough."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=SUGGESTION_LIKENESS)
    return found[0] if found else None


def _settings_of(model: type[BaseModel], above: Path) -> Iterator[Known]:
    for name, field in model.model_fields.items():
        path = (*above, field.alias if field.alias is not None else name)
        group = _member(field, BaseModel)
        if group is None:
            yield _known(path, field)
        elif path != (ACCOUNTS,):
            yield from _settings_of(group, path)


def _known(path: Path, field: FieldInfo) -> Known:
    extra = field.json_schema_extra
    words = extra if isinstance(extra, dict) else {}
    secret = _member(field, SecretStr) is not None
    default = None if field.is_required() else field.default
    about = field.description if field.description is not None else ""
    return Known(
        path=path,
        secret=secret,
        required=field.is_required(),
        default=default,
        expects=str(words["expects"]),
        about=about,
    )


def _member(field: FieldInfo, kind: type[T]) -> type[T] | None:
    return next(_kinds_in(field.annotation, kind), None)


def _kinds_in(annotation: object, kind: type[T]) -> Iterator[type[T]]:
    if isinstance(annotation, type) and issubclass(annotation, kind):
        yield annotation
    for inner in get_args(annotation):
        yield from _kinds_in(inner, kind)
