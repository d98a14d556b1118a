"""docs/settings.md, made from the model, so that it cannot say anything else than what holds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from pydantic_core import PydanticUndefined

from aigateway.settings.locations import CODES
from aigateway.settings.schema import Setting, walk_settings
from aigateway.settings.values import ENVIRONMENTS
from aigateway.settings.vocabulary import describe_type

PATH = PurePosixPath("docs/settings.md")

_HEAD = """\
# Settings

<!-- Generated from aigateway/settings by `aigateway docs`; edit the descriptions there, not this file. -->

An environment's settings stand in `infra/env/ENV/gateway.yaml`, one file for each of {environments};
everything else is rendered from them. A file needs only what differs from the defaults below. It holds no
secret: keys and Azure's endpoint are environment variables, filled from the Key Vault.

What is not here is refused, and so is a value of another type: a number in quotes is none. A limit counts
for the whole environment; each replica enforces its share: the limit divided by `scale.max_replicas`, rounded
down.
"""
_COLUMNS = "| Key | Type | Default | Unit | Meaning |\n|---|---|---|---|---|\n"


def render_reference() -> str:
    """The whole text of docs/settings.md."""
    parts = [_HEAD.format(environments=" and ".join((", ".join(ENVIRONMENTS[:-1]), ENVIRONMENTS[-1])))]
    parts += _render_sections()
    parts.append(_render_locations())
    return "\n".join(parts)


def _render_sections() -> Iterator[str]:
    settings = list(walk_settings())
    alone = [setting for setting in settings if not setting.is_group and "." not in setting.key]
    yield "## At the top\n\n" + _render_table(alone)
    grouped = (setting for setting in settings if setting not in alone)
    for section, members in groupby(
        grouped, key=lambda setting: setting.key.split(".")[0].removesuffix("[]")
    ):
        group, *held = members
        # A list of groups is a setting itself: it may be required, or need a number of items.
        rows = [group, *held] if group.is_list else held
        yield f"## {section}\n\n{_write_sentence(group)}\n\n" + _render_table(rows)


def _write_sentence(setting: Setting) -> str:
    text = str(setting.field.description)
    return f"{text[0].upper()}{text[1:]}."


def _render_table(settings: list[Setting]) -> str:
    return _COLUMNS + "".join(
        _render_row(setting) for setting in settings if setting.is_list or not setting.is_group
    )


def _render_row(setting: Setting) -> str:
    cells = (
        f"`{setting.key}`",
        describe_type(setting.type, setting.metadata),
        _show_default(setting),
        _find_extra(setting, "unit"),
        str(setting.field.description),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _find_extra(setting: Setting, name: str) -> str:
    extra = setting.field.json_schema_extra
    return str(extra.get(name, "")) if isinstance(extra, dict) else ""


def _show_default(setting: Setting) -> str:
    in_words = _find_extra(setting, "default")
    if in_words:
        return in_words
    if setting.field.default is PydanticUndefined:
        return "**required**"
    return _show_value(setting.field.default)


def _show_value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _render_locations() -> str:
    rows = "".join(f"| `{name}` | `{code}` |\n" for name, code in CODES.items())
    return f"## Locations and their codes\n\n| Location | Code |\n|---|---|\n{rows}"
