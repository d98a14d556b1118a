"""Reads an environment's gateway.yaml as `Settings`, or says everything that is wrong with it, a line each.

The wording is ours: pydantic finds what is wrong, and its message is not used.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

import aigateway
from aigateway.errors import SettingsError
from aigateway.names import Names
from aigateway.settings.document import Document, DocumentError, read_document
from aigateway.settings.leaks import find_secret_lines, mask
from aigateway.settings.model import Settings
from aigateway.settings.problems import OWN_RULE, Key, Problem, suggest, write_key
from aigateway.settings.schema import describe_key, list_choices, list_names, walk_settings
from aigateway.settings.values import ENVIRONMENTS

FILE_NAME = "gateway.yaml"

_LARGEST_BYTES = 256 * 1024
_LONGEST_VALUE = 60

# A key before its value. Letters only: a secret has digits.
_KEY = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z_]{1,40}):(?=\s)")


@dataclass(frozen=True, order=True)
class _Finding:
    line: int
    key: str
    message: str


def find_root(start: Path) -> Path:
    """The checkout that `start` is in: the nearest folder with infra/env and templates.

    Outside of one, the checkout that this package runs from. Raises SettingsError where there is none.
    """
    package = Path(aigateway.__file__).resolve().parent
    for folder in (start.resolve(), *start.resolve().parents, package.parent):
        if (folder / "infra" / "env").is_dir() and (folder / "templates").is_dir():
            return folder
    raise SettingsError(
        f"{start}: is in no checkout of the gateway (a folder with infra/env and templates); change to one"
    )


def list_environments(root: Path) -> tuple[str, ...]:
    """The environments of a checkout that have a settings file, in the order of promotion."""
    return tuple(name for name in ENVIRONMENTS if _locate(root, name).is_file())


def load_environment(root: Path, name: str) -> Settings:
    """The settings of an environment of the checkout at `root`.

    Raises SettingsError for an environment that there is not, and as `load_settings` does.
    """
    if name not in ENVIRONMENTS:
        existing = list_environments(root)
        there = f"there are {', '.join(existing)}" if existing else "infra/env has none"
        raise SettingsError(f"there is no environment '{mask(name)}'{suggest(name, ENVIRONMENTS)} ({there})")
    return load_settings(_locate(root, name))


def load_settings(path: Path) -> Settings:
    """The settings in a file; the folder that it is in is its environment.

    Raises SettingsError with every problem of the file, one a line: `FILE:LINE: KEY: what is wrong`.
    """
    shown = _show_path(path)
    text = _read_text(path, shown)
    _refuse_leaks(text, shown)
    try:
        document = read_document(text)
    except DocumentError as error:
        place = f"{shown}:{error.line}" if error.line else shown
        raise SettingsError(f"{place}: {error}") from error
    _check_shape(document, shown)
    settings, findings = _validate(document)
    findings += _find_repeated(document)
    if settings is not None:
        findings += _find_environment_problems(settings, path, document)
        findings += _find_name_problems(settings, document)
    if settings is None or findings:
        raise SettingsError("\n".join(_write(shown, finding) for finding in sorted(set(findings))))
    return settings


def _locate(root: Path, name: str) -> Path:
    return root / "infra" / "env" / name / FILE_NAME


def _show_path(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _write(shown: str, finding: _Finding) -> str:
    key = f"{finding.key}: " if finding.key else ""
    return f"{shown}:{finding.line}: {mask(key + finding.message)}"


def _read_text(path: Path, shown: str) -> str:
    try:
        if path.is_dir():
            raise SettingsError(f"{shown}: is a folder; must be a settings file")
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise SettingsError(f"{shown}: does not exist; docs/settings.md says what it holds") from error
        raise SettingsError(f"{shown}: cannot be read: {error.strerror or error}") from error
    if len(content) > _LARGEST_BYTES:
        raise SettingsError(f"{shown}: is larger than {_LARGEST_BYTES // 1024} KiB; no settings file is")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{shown}:{line}: is not UTF-8; save the file as UTF-8") from error


def _refuse_leaks(text: str, shown: str) -> None:
    """Refuse a file with a secret before anything else of it is read: what is not read is not printed."""
    lines = text.splitlines()
    leaks = [
        f"{shown}:{number}: {_find_last_key(lines[number - 1])}looks like a secret, and this file is "
        "committed: remove it; if it is real, replace it where it is used. "
        "Secrets belong in the Key Vault and in environment variables"
        for number in find_secret_lines(text)
    ]
    if leaks:
        raise SettingsError("\n".join(leaks))


def _find_last_key(line: str) -> str:
    keys = _KEY.findall(line)
    return f"{keys[-1]}: " if keys else ""


def _check_shape(document: Document, shown: str) -> None:
    if document.data is None:
        raise SettingsError(
            f"{shown}: is empty; must have at least environment and clients; see docs/settings.md"
        )
    if not isinstance(document.data, dict):
        raise SettingsError(f"{shown}:1: must be settings, a line each, such as `environment: dev`")


def _validate(document: Document) -> tuple[Settings | None, list[_Finding]]:
    try:
        return Settings.model_validate(document.data), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, [
            _locate_problem(problem, document)
            for detail in details
            if not _is_consequence(detail)
            for problem in _explain(detail, document)
        ]


def _is_consequence(detail: ErrorDetails) -> bool:
    """Whether an error only follows from another one that is told too."""
    if detail["type"] == "too_short":
        # Pydantic counts the items that are right.
        return len(detail["input"]) > int(detail["ctx"]["actual_length"])
    # A default that follows a setting which is wrong.
    return detail["type"] == "default_factory_not_called"


def _locate_problem(problem: Problem, document: Document) -> _Finding:
    return _Finding(document.find_line(*problem.keys), write_key(problem.keys[0]), problem.message)


def _explain(detail: ErrorDetails, document: Document) -> Iterator[Problem]:
    key = detail["loc"]
    if detail["type"] == OWN_RULE:
        for problem in detail["ctx"]["problems"]:
            yield Problem(problem.message, tuple((*key, *inner) for inner in problem.keys))
    elif detail["type"] == "extra_forbidden":
        yield Problem(f"unknown key{_suggest_key(key)}", (key,))
    elif detail["type"] == "missing":
        yield Problem(f"is missing; must be {describe_key(key)}", (key,))
    else:
        yield Problem(_explain_value(key, detail, document), (key,))


def _suggest_key(key: Key) -> str:
    group, name = key[:-1], str(key[-1])
    known = list_names(group)
    # A right name in the wrong place is likelier than a wrong name in the right one.
    elsewhere = [setting.key for setting in walk_settings() if setting.key.rpartition(".")[2] == name]
    near = suggest(name, known)
    if elsewhere and not near:
        return f"; did you mean {' or '.join(elsewhere)}?"
    where = write_key(group) or "the file"
    return near or f"; {where} may have {', '.join(known)}"


def _explain_value(key: Key, detail: ErrorDetails, document: Document) -> str:
    allowed = describe_key(key)
    message = f"{_show_value(key, detail['input'], document)}; must be {allowed}"
    value = detail["input"]
    if detail["type"] == "literal_error" and isinstance(value, str):
        return message + suggest(value, list_choices(key))
    if detail["type"] in ("int_type", "float_type") and isinstance(value, str) and value.isdigit():
        return f"{message}, without {'a leading zero' if value.startswith('0') else 'quotes'}"
    if detail["type"] == "string_type" and isinstance(value, (int, float)):
        return f"{message}, in quotes"
    return message


def _show_value(key: Key, value: Any, document: Document) -> str:
    if value is None:
        return "has no value"
    if isinstance(value, dict):
        return "is a group of settings"
    if isinstance(value, (list, tuple)):
        return f"is a list of {len(value)}"
    written = " ".join(document.sources.get(key, str(value)).split())
    shown = written if len(written) <= _LONGEST_VALUE else f"{written[:_LONGEST_VALUE]}…"
    return f"is '{shown}'" if isinstance(value, str) else f"is {shown}"


def _find_repeated(document: Document) -> Iterator[_Finding]:
    for key, first, line in document.repeated:
        yield _Finding(line, write_key(key), f"stands in line {first} already; keep one of them")


def _find_environment_problems(settings: Settings, path: Path, document: Document) -> Iterator[_Finding]:
    folder = path.resolve().parent.name
    if settings.environment != folder:
        problem = Problem(
            f"is '{settings.environment}'; must be '{folder}', as its folder is called", (("environment",),)
        )
        yield _locate_problem(problem, document)


def _find_name_problems(settings: Settings, document: Document) -> Iterator[_Finding]:
    for problem in Names(settings).find_problems():
        yield _locate_problem(problem, document)
