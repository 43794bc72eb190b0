"""The settings of a call and where each comes from: flags, then environment variables, then a file, then defaults.

The file is the nearest ``detector.toml``, or ``[tool.detector]`` of the nearest ``pyproject.toml``, in the working
directory or above it. The variable of ``min_confidence`` is ``DETECTOR_MIN_CONFIDENCE``; lists have commas between
their items, thresholds are ``LL=0.7,doubt=0.5``. What reaches the network is no setting: it takes a flag each time.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.cli.formats import AnnotationFormat
from detector.errors import ConfigError, TechniqueError
from detector.selection import QUOTES, FailOn, Selection, compiled, technique_names
from detector.techniques import technique

FILE, TABLE_FILE = "detector.toml", "pyproject.toml"
DEFAULT = "default"
STRICTNESS = ("strict", "balanced", "sensitive")
GUARDS = ("warn", "skip", "off")
BACKENDS = ("auto", "onnx", "torch")


@dataclass(frozen=True, slots=True)
class Value:
    """A value in force and its origin: ``default``, a flag, a variable, or a file."""

    value: Any
    origin: str = DEFAULT


@dataclass(frozen=True, slots=True)
class Key:
    """A setting: its default, its flag, how it is checked, and how a variable's text becomes a value."""

    default: Any
    flag: str
    check: Callable[[Any], Any]
    parse: Callable[[str], Any]


Settings = dict[str, Value]


class _Wrong(Exception):
    """Why a value cannot be one of a key."""


def _choice(*choices: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise _Wrong(f"must be {', '.join(choices[:-1])} or {choices[-1]}")
        return str(value)

    return check


def _probability(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _Wrong("must be a number from 0 to 1")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _Wrong("must be a text that is not empty")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise _Wrong('must be a list of texts, such as ["doubt", "slogans"]')
    return tuple(value)


def _patterns(value: Any) -> tuple[str, ...]:
    given = _texts(value)
    for pattern in given:
        try:
            compiled(pattern)
        except ConfigError as error:
            told = str(error).removeprefix("--ignore-pattern ")
            raise _Wrong(told.partition(": ")[2] if len(given) == 1 else told) from None
    return given


def _conditions(value: Any) -> tuple[str, ...]:
    given = _texts([str(v) for v in value] if isinstance(value, list | tuple) else value)
    FailOn.parse(given)
    return given


def _thresholds(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise _Wrong("must be a table of techniques and numbers, such as {doubt = 0.7}")
    return {technique(name).name: _probability(number) for name, number in value.items()}


def _megabytes(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _Wrong("must be a whole number of megabytes, at least 1")
    return value


def _number(text: str) -> Any:
    try:
        return int(text) if text.strip().lstrip("-").isdecimal() else float(text)
    except ValueError:
        return text


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pairs(text: str) -> dict[str, Any]:
    return {name.strip(): _number(number) for name, _, number in (part.partition("=") for part in _listed(text))}


KEYS: dict[str, Key] = {
    "strictness": Key("balanced", "--strictness", _choice(*STRICTNESS), str),
    "min_confidence": Key(0.0, "--min-confidence", _probability, _number),
    "only": Key((), "--only", lambda value: technique_names(_texts(value)), _listed),
    "ignore": Key((), "--ignore", lambda value: technique_names(_texts(value)), _listed),
    "thresholds": Key({}, "--threshold", _thresholds, _pairs),
    "ignore_patterns": Key((), "--ignore-pattern", _patterns, str.splitlines),
    "quotes": Key("mark", "--quotes", _choice(*QUOTES), str),
    "language_guard": Key("warn", "--language-guard", _choice(*GUARDS), str),
    "fail_on": Key((), "--fail-on", _conditions, _listed),
    "format": Key("text", "--format", _choice(*AnnotationFormat), str),
    "glob": Key("*.txt", "--glob", _text, str),
    "model": Key(None, "--model", _text, str),
    "backend": Key("auto", "--backend", _choice(*BACKENDS), str),
    "max_size": Key(50, "--max-size", _megabytes, _number),
    "max_unpacked": Key(300, "--max-unpacked", _megabytes, _number),
}
"""All settings, in the order in which ``detector config`` shows them."""


def in_force(
    flags: Mapping[str, Any] | None = None, *, environment: Mapping[str, str] | None = None, start: Path | None = None
) -> Settings:
    """The settings of a call; a flag that is None was not given. Raises ConfigError that names the origin."""
    environment = os.environ if environment is None else environment
    file, stated = find_file(start or _working_directory())
    settings: Settings = {}
    for name, key in KEYS.items():
        variable = f"DETECTOR_{name.upper()}"
        if flags is not None and flags.get(name) is not None:
            settings[name] = _value(name, flags[name], key.flag)
        elif environment.get(variable):
            settings[name] = _value(name, key.parse(environment[variable]), variable)
        elif name in stated:
            settings[name] = _from_file(name, stated[name], file)
        else:
            settings[name] = Value(key.default)
    return settings


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigError(f"the working directory cannot be read ({error.strerror}): go to one that is there") from None


def find_file(start: Path) -> tuple[Path | None, Mapping[str, Any]]:
    """The nearest file with settings, from a folder upwards, and its keys; raises ConfigError for an unknown key."""
    for folder in (start, *start.parents):
        for file in (folder / FILE, folder / TABLE_FILE):
            stated = _stated(file)
            if stated is not None:
                _check_keys(stated, file)
                return file, stated
    return None, {}


def selection_of(settings: Settings) -> Selection:
    """The selection of findings that these settings state."""
    names = ("min_confidence", "only", "ignore", "thresholds", "ignore_patterns", "quotes")
    return Selection(**{name: settings[name].value for name in names})


def _stated(file: Path) -> Mapping[str, Any] | None:
    """The settings in a file; None where it has none."""
    try:
        table = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        with suppress(OSError):  # a folder that may not be looked into has no settings for us
            if file.is_file():
                raise ConfigError(f"{file}: cannot be read ({error.strerror}): check its permissions") from None
        return None
    except (ValueError, OSError, RecursionError) as error:
        raise ConfigError(f"{file}: is not TOML ({error}): correct it") from None
    if file.name == FILE:
        return table
    tool = table.get("tool")
    found = tool.get("detector") if isinstance(tool, dict) else None
    return found if isinstance(found, dict) else None


def _check_keys(stated: Mapping[str, Any], file: Path) -> None:
    for name in stated:
        if name not in KEYS:
            near = difflib.get_close_matches(name, KEYS, n=1)
            way_out = f"did you mean {near[0]}?" if near else f"there are {', '.join(KEYS)}"
            raise ConfigError(f"{file}: there is no setting {name!r:.60}: {way_out}")


def _from_file(name: str, stated: Any, file: Path | None) -> Value:
    value = _value(name, stated, str(file))
    if name == "model" and file is not None and (file.parent / value.value).exists():
        return Value(str(file.parent / value.value), value.origin)  # a path in a file starts at the file
    return value


def _value(name: str, value: Any, origin: str) -> Value:
    where = origin if origin.startswith("-") else f"{origin}: {name}"
    try:
        return Value(KEYS[name].check(value), origin)
    except _Wrong as problem:
        raise ConfigError(f"{where} {_shown(value)!r:.60}: {problem}") from None
    except TechniqueError as error:
        raise (error if where == origin else ConfigError(f"{where}: {error}")) from None


def _shown(value: Any) -> Any:
    """A value as a message names it: the only one of a list by itself."""
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
