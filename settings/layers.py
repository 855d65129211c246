"""The three places that settings come from, each read into one flat layer.

A layer knows for every value how the user wrote its name, so that a mistake is reported in the user's words.
"""

from __future__ import annotations

import io
import re
import tomllib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from dotenv.parser import parse_stream

from settings.catalogue import (
    ACCOUNTS,
    PREFIX,
    Known,
    account_catalogue,
    by_path,
    catalogue,
    environment_name,
    nearest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

# Variables of the test suite, which a test's own process may see.
IGNORED_PREFIX = "WAYBILL_TEST_"
TOML_POSITION = re.compile(r"\(at ([^()]*)\)$")

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place gives: values and written names by key path, and a sentence per mistake."""

    values: dict[Key, object] = field(default_factory=dict)
    written: dict[Key, str] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def put(self, path: Key, value: object, written: str) -> None:
        """Take one value; an empty text counts as not given, as in `NAME=` of a shell or compose file."""
        if value != "":
            self.values[path] = value
            self.written[path] = written

    def nested(self) -> dict[str, object]:
        """Return the values as a tree; the tables of accounts become a list, in their order."""
        tree: dict[str, object] = {}
        for path, value in self.values.items():
            _plant(tree, path, dict(value) if isinstance(value, dict) else value)
        accounts = tree.get(ACCOUNTS)
        if isinstance(accounts, dict):
            tree[ACCOUNTS] = [accounts[index] for index in sorted(accounts)]
        return tree


def from_environment(environ: Mapping[str, str], directory: Path) -> Layer:
    """Read the variables that start with WAYBILL_; all others are somebody else's."""
    layer = Layer()
    _take_variables(layer, environ, "")
    return _with_secret_files(layer, directory)


def from_dotenv(file: Path, directory: Path) -> Layer:
    """Read a `.env` file, if there is one; values are taken as they stand, nothing is expanded."""
    layer = Layer()
    text = _text_of(file, file.name, layer) if file.exists() else None
    if text is None:
        return layer
    variables = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            layer.mistakes.append(f"{file.name} line {binding.original.line} is not NAME=value; correct or remove it.")
        elif binding.key is not None and binding.value is not None:
            variables[binding.key] = binding.value
    _take_variables(layer, variables, f" in {file.name}")
    return _with_secret_files(layer, directory)


def from_toml(file: Path, directory: Path, *, shown: str) -> Layer:
    """Read a TOML file, called `shown` in sentences; the caller knows that it should be there."""
    layer = Layer()
    text = _text_of(file, shown, layer)
    if text is None:
        return layer
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        layer.mistakes.append(_syntax_sentence(str(error), shown))
        return layer
    accounts = tables.pop(ACCOUNTS, [])
    _take_table(layer, tables, _Scope(by_path(catalogue()), lambda path: f"{'.'.join(path)} in {shown}"))
    _take_accounts(layer, accounts, shown)
    return _with_secret_files(layer, directory)


def account_key_name(index: int, path: tuple[str, ...], *, shown: str) -> str:
    """Name a key of the account table number `index`, counted from 0."""
    return f"{'.'.join(path)} in [[accounts]] table {index + 1} of {shown}"


def _take_variables(layer: Layer, variables: Mapping[str, str], where: str) -> None:
    names = {environment_name(path): path for path in by_path(catalogue())}
    for name, value in variables.items():
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper.startswith(IGNORED_PREFIX):
            continue
        if name in names:
            layer.put(names[name], value, name + where)
        elif upper.startswith(environment_name((ACCOUNTS,))):
            layer.mistakes.append(f"{name}{where} is not a setting; write [[accounts]] tables in waybill.toml instead.")
        else:
            layer.mistakes.append(_unknown(name, where, nearest(upper, names)))


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a table may hold: settings by path, how a path is shown, and the key path under which values are put."""

    index: Mapping[tuple[str, ...], Known]
    shown: Callable[[tuple[str, ...]], str]
    under: Key = ()


def _take_table(layer: Layer, table: Mapping[str, object], scope: _Scope) -> None:
    groups = {path[:depth] for path in scope.index for depth in range(1, len(path))}
    for path, value in _leaves(table, (), groups):
        name = scope.shown(path)
        if path in scope.index:
            layer.put((*scope.under, *path), value, name)
        elif path in groups:
            layer.mistakes.append(f"{name} must be a table of settings; write [{'.'.join(path)}] above its keys.")
        else:
            is_table = isinstance(value, dict | list)
            layer.mistakes.append(_unknown(name, "", _meant(path, scope, groups, is_table=is_table)))


def _meant(path: tuple[str, ...], scope: _Scope, groups: set[tuple[str, ...]], *, is_table: bool) -> str | None:
    """What a key, or the heading of a table, was probably meant to be."""
    if not is_table:
        return nearest(".".join(path), (".".join(known) for known in scope.index))
    headings = [*(".".join(group) for group in groups), *([] if scope.under else [ACCOUNTS])]
    near = nearest(".".join(path), sorted(headings))
    return None if near is None else f"[[{near}]]" if near == ACCOUNTS else f"[{near}]"


def _take_accounts(layer: Layer, accounts: object, shown: str) -> None:
    index = by_path(account_catalogue())
    if not isinstance(accounts, list) or not all(isinstance(table, dict) for table in accounts):
        layer.mistakes.append(f"accounts in {shown} must be tables; write [[accounts]] above the keys of each.")
        return
    for number, table in enumerate(accounts):
        # An empty table is an account as well: it must be heard of, not skipped.
        layer.put((ACCOUNTS, number), {}, f"[[accounts]] table {number + 1} of {shown}")
        name = partial(account_key_name, number, shown=shown)
        _take_table(layer, table, _Scope(index, name, under=(ACCOUNTS, number)))


def _leaves(
    table: Mapping[str, object], above: tuple[str, ...], groups: set[tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in table.items():
        path = (*above, key)
        if isinstance(value, dict) and path in groups:
            yield from _leaves(value, path, groups)
        else:
            yield path, value


def _with_secret_files(layer: Layer, directory: Path) -> Layer:
    general, account = by_path(catalogue()), by_path(account_catalogue())
    for path in list(layer.values):
        plain = tuple(part for part in path if isinstance(part, str))
        known = account.get(plain[1:]) if plain[0] == ACCOUNTS else general.get(plain)
        if known is not None and known.path[-1] != path[-1]:
            _replace_by_content(layer, path, (*path[:-1], known.path[-1]), directory)
    return layer


def _replace_by_content(layer: Layer, path: Key, target: Key, directory: Path) -> None:
    value, written = layer.values.pop(path), layer.written.pop(path)
    if target in layer.values:
        layer.mistakes.append(f"{layer.written[target]} and {written} are both given; remove one of them.")
        return
    if not isinstance(value, str):
        layer.mistakes.append(f"{written} must be the path of a file, in quotes.")
        return
    content = _text_of(directory / value, f"The file that {written} names", layer)
    if content is None:
        return
    layer.put(target, content.strip(), f"The content of {written}")
    if target not in layer.values:
        layer.mistakes.append(f"The file that {written} names is empty; write the secret into it.")


def _text_of(file: Path, shown: str, layer: Layer) -> str | None:
    try:
        return file.expanduser().read_text(encoding="utf-8")
    except (UnicodeDecodeError, ValueError):
        layer.mistakes.append(f"{shown} is not UTF-8 text; save it as UTF-8.")
    except (OSError, RuntimeError):
        layer.mistakes.append(f"{shown} cannot be read; check that it exists and that this user may read it.")
    return None


def _syntax_sentence(error: str, shown: str) -> str:
    # Only the place is repeated: the rest of the parser's words may quote the file, hence a secret.
    place = TOML_POSITION.search(error)
    at = f" at {place.group(1)}" if place is not None else ""
    return f"{shown} is not valid TOML{at}; correct it (texts need quotes, tables need [brackets])."


def _unknown(name: str, where: str, near: str | None) -> str:
    remedy = f"did you mean {near}?" if near is not None else "remove it, or see docs/settings.md for the names."
    return f"{name}{where} is not a setting; {remedy}"


def _plant(tree: dict[Any, Any], path: Key, value: object) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value
