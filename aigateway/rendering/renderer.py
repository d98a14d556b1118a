"""Renders one environment: settings in, the text of its three files out.

Everything is worked out before anything is written, so a bad setting leaves the files as they were.
"""

from __future__ import annotations

import datetime
import difflib
import json
import traceback
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml

from aigateway.errors import RenderError
from aigateway.files import write_atomically
from aigateway.names import Names
from aigateway.rendering import body, stumbles
from aigateway.rendering.edge import derive_edge
from aigateway.settings.loading import load_environment
from aigateway.settings.model import Settings

LITELLM = "litellm.yaml"
ENVOY = "envoy.yaml"
TFVARS = "terraform.tfvars.json"
FILE_NAMES = (LITELLM, ENVOY, TFVARS)

# libyaml's, nine times as fast, where PyYAML was built with it.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_SafeLoader):  # type: ignore[misc] # chosen when this is imported
    """Refuses a key that stands twice in a mapping, of which YAML's readers take the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            names = [key.value for key, _ in node.value]
            name = next(name for name in names if names.count(name) > 1)
            raise yaml.constructor.ConstructorError(
                None, None, f"'{name}' stands there twice", node.start_mark
            )
        return mapping


@dataclass(frozen=True)
class Rendering:
    """The rendered files of one environment: `texts` by file name, `folder` where they belong."""

    settings: Settings
    folder: Path
    texts: dict[str, str]

    def parse(self, name: str) -> dict[str, Any]:
        """The file `name` as data; JSON is YAML too."""
        data = yaml.load(self.texts[name], _Loader)  # noqa: S506 - a safe loader
        if not isinstance(data, dict):
            raise RenderError(f"{self.folder / name}: is not a mapping; see templates/{name}.j2")
        return data

    def find_stale(self) -> Iterator[str]:
        """A unified diff for each file on disk that is not what would be rendered now."""
        for name, text in self.texts.items():
            path = self.folder / name
            try:
                # As bytes: other line ends are a difference too.
                committed = path.read_bytes().decode("utf-8")
            except (OSError, UnicodeDecodeError):
                committed = ""
            if committed != text:
                yield "".join(
                    difflib.unified_diff(
                        committed.splitlines(keepends=True),
                        text.splitlines(keepends=True),
                        fromfile=f"{path} (on disk)",
                        tofile=f"{path} (rendered)",
                    )
                )

    def require_current(self) -> None:
        """Raises RenderError when a file on disk is not what would be rendered now: it is what gets deployed."""
        stale = "".join(self.find_stale())
        if stale:
            raise RenderError(f"{stale}rendered files are stale or edited by hand; run: aigateway render")

    def write(self) -> tuple[Path, ...]:
        """Write the files that differ from those on disk, each whole; returns their paths."""
        stale = []
        for name, text in self.texts.items():
            path = self.folder / name
            if not path.is_file() or path.read_bytes() != text.encode():
                write_atomically(path, text)
                stale.append(path)
        return tuple(stale)


def render_environment(root: Path, environment: str) -> Rendering:
    """Load the settings of `environment` and render its files.

    Raises SettingsError for the settings, RenderError for a template.
    """
    settings = load_environment(root, environment)
    return render_settings(root, settings)


def render_settings(root: Path, settings: Settings) -> Rendering:
    """Render `settings` with the templates of the checkout at `root`."""
    folder = root / "infra" / "env" / settings.environment
    templates = open_templates(root)
    context = {
        "settings": settings,
        "names": Names(settings),
        "edge": derive_edge(settings),
        "body": body,
        "stumbles": stumbles,
    }
    texts = {name: _render(templates, name, context) for name in FILE_NAMES}
    return Rendering(settings, folder, texts)


@cache
def open_templates(root: Path) -> jinja2.Environment:
    """The templates of the checkout at `root`, with the filters that they use."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root / "templates"),
        undefined=jinja2.StrictUndefined,
        # Configs are rendered, never HTML; values are quoted by `tojson`.
        autoescape=False,  # noqa: S701
        keep_trailing_newline=True,
    )
    templates.filters["tojson"] = _to_json
    templates.filters["toyaml"] = _to_yaml
    return templates


def _to_json(value: object) -> str:
    """A JSON value, which is a YAML value too; Jinja's own `tojson` escapes for HTML."""
    return json.dumps(value, ensure_ascii=False)


def _to_yaml(value: object) -> str:
    """A block of YAML, for what is too large for a line."""
    return yaml.safe_dump(value, sort_keys=False, width=1000).rstrip()


def _render(templates: jinja2.Environment, name: str, context: dict[str, object]) -> str:
    text, source = fill_template(templates, name, context), f"templates/{name}.j2"
    _check_round_trip(text, source)
    if name.endswith(".json"):
        _check_json(text, source)
    return text


def fill_template(templates: jinja2.Environment, name: str, context: dict[str, object]) -> str:
    """The text of templates/NAME.j2; raises RenderError where it is missing or wrong."""
    source = f"templates/{name}.j2"
    try:
        return templates.get_template(f"{name}.j2").render(context)
    except jinja2.TemplateNotFound as error:
        raise RenderError(f"{source}: is missing; a checkout of the project has it") from error
    except jinja2.TemplateSyntaxError as error:
        raise RenderError(f"{source}:{error.lineno}: {error.message}") from error
    except jinja2.UndefinedError as error:
        line = _find_line(error, f"{name}.j2")
        raise RenderError(f"{source}:{line}: {error.message}; it must be a key of the settings") from error


def _find_line(error: jinja2.UndefinedError, template: str) -> int | None:
    """The template's line that failed: Jinja puts its templates among the traceback's frames."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename.endswith(template)), None)


def _check_json(text: str, source: str) -> None:
    """Nearly all JSON is YAML, but not the other way round."""
    try:
        json.loads(text)
    except ValueError as error:
        raise RenderError(f"{source}: renders to what is not JSON: {error}") from error


def _check_round_trip(text: str, source: str) -> None:
    """Refuse text that YAML reads as something else than was meant.

    LiteLLM drops a deployment without a word when its api_version, unquoted, is read as a date.
    """
    try:
        data = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise RenderError(f"{source}: renders to what is not YAML: {error}") from error
    if yaml.load(yaml.dump(data, Dumper=_Dumper), _Loader) != data:  # noqa: S506 - a safe loader
        raise RenderError(f"{source}: renders to YAML that does not survive being written and read")
    for path, value in _walk(data):
        if isinstance(value, datetime.date):
            raise RenderError(f"{source}: {path} is read as a date; quote it with `tojson`")


def _walk(data: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _walk(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _walk(value, f"{path}[{index}]")
    else:
        yield path, data
