"""The settings model, walked by key: what stands under a key, and every key that there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from aigateway.settings.model import Settings
from aigateway.settings.problems import Key
from aigateway.settings.vocabulary import Metadata, describe_type, is_group, unwrap


@dataclass(frozen=True)
class Setting:
    """A setting of the model: its dotted key (`clients[].name`), its type and what the model says of it."""

    key: str
    type: Any
    metadata: Metadata
    field: FieldInfo

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return get_origin(self.type) is tuple

    @property
    def is_group(self) -> bool:
        """Whether it only holds other settings, once or in a list."""
        return is_group(_find_item(self.type)[0] if self.is_list else self.type)


def walk_settings() -> Iterator[Setting]:
    """Every setting, groups before what they hold, in the model's order."""
    yield from _walk(Settings, "")


def _walk(group: Any, prefix: str) -> Iterator[Setting]:
    for name, field in group.model_fields.items():
        core, metadata = unwrap(field.annotation, tuple(field.metadata))
        setting = Setting(f"{prefix}{name}", core, metadata, field)
        yield setting
        if is_group(core):
            yield from _walk(core, f"{setting.key}.")
        elif setting.is_group:
            yield from _walk(_find_item(core)[0], f"{setting.key}[].")


def _find_item(core: Any) -> tuple[Any, Metadata]:
    return unwrap(get_args(core)[0], ())


def describe_key(key: Key) -> str:
    """What may stand under a key of the file, to follow "must be"."""
    core, metadata = _find_type(key)
    return describe_type(core, metadata)


def list_names(key: Key) -> list[str]:
    """The settings of the group that stands under a key."""
    core, _ = _find_type(key)
    return list(core.model_fields)


def list_choices(key: Key) -> list[str]:
    """The words of which the setting under a key is one."""
    core, _ = _find_type(key)
    return list(get_args(core))


def _find_type(key: Key) -> tuple[Any, Metadata]:
    core: Any = Settings
    metadata: Metadata = ()
    for part in key:
        if isinstance(part, int):
            core, metadata = _find_item(core)
        else:
            field = core.model_fields[part]
            core, metadata = unwrap(field.annotation, tuple(field.metadata))
    return core, metadata
