"""A YAML file as plain data, with the line of every key; only the part of YAML that settings need.

PyYAML's own constructor reads YAML 1.1: it makes a date of `2024-10-21`, true of `yes` and 61 of `1:01`, and
keeps the last of two equal keys. Here a plain word is text unless it is a number, true, false or null (YAML
1.2's core schema), and tags, anchors, aliases and repeated keys are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from aigateway.settings.problems import Key, write_key

_DEEPEST = 12

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?([0-9]{1,17}\.[0-9]*|\.[0-9]+|[0-9]{1,17}(?=[eE]))([eE][-+]?[0-9]{1,3})?")


class DocumentError(Exception):
    """The text is no YAML that settings may be written in; `line` says where."""

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Document:
    """Data, and where each key of it stands."""

    data: Any
    lines: dict[Key, int]
    """Line of each key, from 1."""
    sources: dict[Key, str]
    """Each scalar as it is written, without quotes."""
    repeated: tuple[tuple[Key, int, int], ...]
    """Keys that stand twice in one group, with both lines."""

    def find_line(self, *keys: Key) -> int:
        """The line of the first of these keys that stands in the file, else of the group around it."""
        for key in keys:
            if key in self.lines:
                return self.lines[key]
        key = keys[0]
        while key:
            key = key[:-1]
            if key in self.lines:
                return self.lines[key]
        return 1


def read_document(text: str) -> Document:
    """Read one YAML document.

    Raises DocumentError where it is malformed or uses what settings do not need.
    """
    try:
        _check_events(yaml.parse(text, Loader=yaml.SafeLoader))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(mark.line + 1 if mark else None, f"is not YAML: {_explain(error)}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(line, f"has the control character U+{ord(text[error.position]):04X}") from error
    reader = _Reader()
    data = None if node is None else reader.read(node, ())
    return Document(data, reader.lines, reader.sources, tuple(reader.repeated))


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be read"
    if "'\\t'" in problem:
        return "there is a tab; indent with spaces"
    return f"{problem} ({error.context})" if error.context else problem


def _check_events(events: Iterator[yaml.Event]) -> None:
    depth = documents = 0
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise DocumentError(line, "begins a second YAML document; settings are one")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise DocumentError(line, "has a YAML anchor or alias (& or *); write the value out, or quote it")
        if getattr(event, "tag", None) is not None:
            raise DocumentError(line, "has a YAML tag (!); write the plain value, or quote it")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise DocumentError(line, f"is nested more than {_DEEPEST} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


@dataclass
class _Reader:
    """Collects lines and sources while nodes become data."""

    lines: dict[Key, int] = field(default_factory=dict)
    sources: dict[Key, str] = field(default_factory=dict)
    repeated: list[tuple[Key, int, int]] = field(default_factory=list)

    def read(self, node: yaml.Node, key: Key) -> Any:
        if isinstance(node, yaml.ScalarNode):
            self.sources[key] = node.value
            return _resolve(node.value) if node.style is None else node.value
        if isinstance(node, yaml.SequenceNode):
            return [self._read_under(item, item, (*key, index)) for index, item in enumerate(node.value)]
        return self._read_mapping(node, key)

    def _read_under(self, place: yaml.Node, node: yaml.Node, key: Key) -> Any:
        self.lines[key] = place.start_mark.line + 1
        return self.read(node, key)

    def _read_mapping(self, node: yaml.Node, key: Key) -> dict[str, Any]:
        group: dict[str, Any] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):
                raise DocumentError(line, f"{write_key(key) or 'the file'}: has a key that is not a word")
            here = (*key, name.value)
            if name.value in group:
                self.repeated.append((here, self.lines[here], line))
            else:
                group[name.value] = self._read_under(name, value, here)
        return group


def _resolve(text: str) -> str | int | float | bool | None:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
