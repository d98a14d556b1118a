"""What a setting allows, in words: one description serves the error messages and the reference."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel

_PLAIN_TYPES = {str: "text", bool: "true or false"}

Metadata = tuple[object, ...]


@dataclass(frozen=True)
class Allowed:
    """Metadata of an annotated type: its rule in words, where a pattern or a function would not read well."""

    words: str


def unwrap(annotation: Any, metadata: Metadata) -> tuple[Any, Metadata]:
    """A type without `Annotated` and without `| None`, and all metadata that was on the way."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return unwrap(inner, (*more, *metadata))
    if origin in (Union, UnionType):
        (kept,) = (part for part in get_args(annotation) if part is not NoneType)
        return unwrap(kept, metadata)
    return annotation, metadata


def is_group(annotation: Any) -> bool:
    """Whether an unwrapped type is a group of settings."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def describe_type(annotation: Any, metadata: Metadata = ()) -> str:
    """What a value of this type may be, to follow "must be"."""
    core, metadata = unwrap(annotation, metadata)
    for item in metadata:
        if isinstance(item, Allowed):
            return item.words
    origin = get_origin(core)
    if origin is Literal:
        return _join_choices([f"'{choice}'" for choice in get_args(core)])
    if origin is tuple:
        return f"a list{_describe_length(metadata)}, each {describe_type(get_args(core)[0])}"
    if core in (int, float):
        return _describe_number("a whole number" if core is int else "a number", metadata)
    if is_group(core):
        return f"a group of settings: {', '.join(core.model_fields)}"
    return _PLAIN_TYPES[core]


def _join_choices(choices: list[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _describe_length(metadata: Metadata) -> str:
    fewest = max(
        (item.min_length for item in metadata if isinstance(item, annotated_types.MinLen)), default=0
    )
    most = [item.max_length for item in metadata if isinstance(item, annotated_types.MaxLen)]
    if most:
        return f" of {fewest} to {min(most)}"
    return f" of at least {fewest}" if fewest else ""


def _describe_number(noun: str, metadata: Metadata) -> str:
    # A field may narrow its type's range: the last bound is the field's.
    bounds = {type(item): getattr(item, _BOUNDS[type(item)]) for item in metadata if type(item) in _BOUNDS}
    low, above = bounds.get(annotated_types.Ge), bounds.get(annotated_types.Gt)
    high, step = bounds.get(annotated_types.Le), bounds.get(annotated_types.MultipleOf)
    words = noun
    if low is not None:
        words += f" from {low:,}"
    elif above is not None:
        words += f" above {above:,}"
    if high is not None:
        words += f" to {high:,}" if low is not None else f", at most {high:,}"
    return words if step is None else f"{words}, in steps of {step}"


_BOUNDS: dict[type, str] = {
    annotated_types.Ge: "ge",
    annotated_types.Gt: "gt",
    annotated_types.Le: "le",
    annotated_types.MultipleOf: "multiple_of",
}
