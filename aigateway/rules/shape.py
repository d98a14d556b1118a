"""Reads a parsed file as a strict model, and says what in it the model does not know or takes otherwise.

Messages give types, never values: a value of the wrong type can be a key.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from aigateway.settings.problems import Key, suggest, write_key

Item = TypeVar("Item")
Model = TypeVar("Model", bound=BaseModel)

#: A list in YAML, kept as a tuple; its items stay strict.
Items = Annotated[tuple[Item, ...], Field(strict=False)]

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): "nothing"}
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


class Part(BaseModel):
    """A part of a config file: frozen, no key that is not known, no value turned into another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True)
class Misfit:
    """A key that the model does not know, with the nearest that it does, or a value that it does not take."""

    key: Key
    message: str
    unknown: bool

    @property
    def path(self) -> str:
        """The key as a person writes it."""
        return write_key(self.key) or "(the whole file)"


@dataclass(frozen=True)
class Reading(Generic[Model]):
    """A file as its model; `config` is None where more than unknown keys is wrong with it."""

    config: Model | None
    misfits: tuple[Misfit, ...]


def read_shape(model: type[Model], data: dict[str, Any]) -> Reading[Model]:
    """Read `data` as `model`. Unknown keys are left out and reported, so that the rest can still be judged."""
    try:
        return Reading(model.model_validate(data), ())
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
    misfits = tuple(_describe(model, data, each) for each in errors)
    if not all(misfit.unknown for misfit in misfits):
        return Reading(None, misfits)
    known = copy.deepcopy(data)
    for misfit in misfits:
        _remove(known, misfit.key)
    return Reading(model.model_validate(known), misfits)


def _describe(model: type[BaseModel], data: object, error: ErrorDetails) -> Misfit:
    key = _locate(data, error["loc"])
    if error["type"] == "extra_forbidden":
        names = _list_names(_describe_schema(model), error["loc"][:-1])
        return Misfit(key, suggest(str(key[-1]), names), unknown=True)
    if error["type"] == "missing":
        return Misfit(key, "is missing", unknown=False)
    expected = _EXPECTED.get(error["type"])
    if expected:
        return Misfit(key, f"is {_name_type(error['input'])}; must be {expected}", unknown=False)
    if error["type"] == "union_tag_invalid":
        return Misfit(key, "has a name that is none of the edge's parts", unknown=False)
    # Pydantic's words, as in "Input should be 'STATIC'", tell what is allowed and not what is there.
    return Misfit(key, f"must be {error['msg'].removeprefix('Input should be ')}", unknown=False)


def _locate(data: Any, location: tuple[int | str, ...]) -> Key:
    """The keys of a pydantic location that stand in the data; the others name a member of a union."""
    key: list[int | str] = []
    for index, part in enumerate(location):
        if _holds(data, part):
            data = data[part]
        elif index < len(location) - 1:
            continue
        key.append(part)
    return tuple(key)


def _holds(data: object, part: int | str) -> bool:
    return (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int))


@functools.cache
def _describe_schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _list_names(schema: dict[str, Any], location: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at a location, from the model's JSON schema."""
    node = schema
    for part in (*location, None):
        node = _follow(schema, node, part)
        if part is None:
            break
        node = node["items"] if isinstance(part, int) else node.get("properties", {}).get(part, node)
    return list(node.get("properties", {}))


def _follow(schema: dict[str, Any], node: dict[str, Any], part: int | str | None) -> dict[str, Any]:
    """What a node stands for: the member of a union that `part` names, or that is not nothing."""
    while True:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        elif "anyOf" in node:
            node = next(each for each in node["anyOf"] if each.get("type") != "null")
        elif "oneOf" in node and part in node["discriminator"]["mapping"]:
            node = {"$ref": node["discriminator"]["mapping"][part]}
        else:
            return node


def _remove(data: Any, key: Key) -> None:
    for part in key[:-1]:
        data = data[part]
    del data[key[-1]]


def _name_type(value: object) -> str:
    if isinstance(value, date):
        return "a date"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "a mapping" if isinstance(value, dict) else _WORDS.get(type(value), "of another type")
