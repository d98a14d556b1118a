"""One environment's files as the rules see them: texts, data, strict models, and the scripts that start both parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from aigateway.errors import RenderError
from aigateway.rendering.renderer import ENVOY, LITELLM, TFVARS, Rendering
from aigateway.rules.envoy_config import EnvoyConfig
from aigateway.rules.litellm_config import LiteLLMConfig
from aigateway.rules.shape import Reading, read_shape
from aigateway.settings.model import Settings

#: Where the scripts stand that both the deployment and the launchers run, from the root of the checkout.
START_FOLDER = Path("infra/modules/aigateway_aca/start")

PartName = Literal["litellm", "envoy"]


class ImageVariables(BaseModel):
    """The images in terraform.tfvars.json."""

    model_config = ConfigDict(frozen=True, strict=True)

    litellm: str
    envoy: str


class TerraformVariables(BaseModel):
    """What the rules look at in terraform.tfvars.json; Terraform checks the names and types of everything in it."""

    model_config = ConfigDict(frozen=True, strict=True)

    images: ImageVariables
    client_keys: dict[str, str]


@dataclass(frozen=True)
class Script:
    """A start script, without its comments; empty where there is none."""

    file: str
    code: str

    def assigns(self, variable: str) -> tuple[str, ...]:
        """Every value that the script itself gives a variable."""
        return tuple(re.findall(rf"(?<![\w$]){variable}=(\S*)", self.code))

    def exports(self, variable: str) -> bool:
        """Whether what it starts sees the variable."""
        return bool(re.search(rf"^\s*export\s+([^\n]*\s)?{variable}(=|\s|$)", self.code, re.MULTILINE))

    def has(self, pattern: str) -> bool:
        """Whether a line of it matches."""
        return bool(re.search(pattern, self.code, re.MULTILINE))


@dataclass(frozen=True)
class Subject:
    """What every rule is given; `files` are the paths to show, by the name of the file."""

    settings: Settings
    files: dict[str, str]
    texts: dict[str, str]
    data: dict[str, dict[str, Any]]
    litellm: Reading[LiteLLMConfig]
    envoy: Reading[EnvoyConfig]
    terraform: Reading[TerraformVariables]
    scripts: dict[PartName, Script]


def read_subject(rendering: Rendering) -> Subject:
    """Read everything that the rules look at.

    Raises RenderError where a file is not a mapping in YAML.
    """
    root = rendering.folder.parents[2]
    data = {name: _parse(rendering, name) for name in rendering.texts}
    return Subject(
        settings=rendering.settings,
        files={name: (rendering.folder / name).relative_to(root).as_posix() for name in rendering.texts},
        texts=rendering.texts,
        data=data,
        litellm=read_shape(LiteLLMConfig, data[LITELLM]),
        envoy=read_shape(EnvoyConfig, data[ENVOY]),
        terraform=read_shape(TerraformVariables, data[TFVARS]),
        scripts={"litellm": _read_script(root, "litellm"), "envoy": _read_script(root, "envoy")},
    )


def _parse(rendering: Rendering, name: str) -> dict[str, Any]:
    try:
        return rendering.parse(name)
    except yaml.YAMLError as error:
        raise RenderError(
            f"{rendering.folder / name}: is not YAML: {error}; see templates/{name}.j2"
        ) from error


def _read_script(root: Path, part: PartName) -> Script:
    file = START_FOLDER / f"{part}.sh"
    try:
        text = (root / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return Script(file.as_posix(), code)
