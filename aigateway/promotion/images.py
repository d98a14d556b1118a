"""The two parts' images: repository, tag, and the digest that the tag stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aigateway.errors import AigatewayError
from aigateway.files import write_atomically
from aigateway.settings.model import Settings
from aigateway.settings.values import Digest

PartName = Literal["litellm", "envoy"]
PARTS: tuple[PartName, ...] = get_args(PartName)

#: Beside an environment's rendered files; Terraform reads what is called so by itself.
PINS_FILE = "images.auto.tfvars.json"

_REFERENCE = re.compile(r"(?P<repository>[^@]+):(?P<tag>[^:/@]+)(@(?P<digest>sha256:[0-9a-f]{64}))?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


class PinnedImage(BaseModel):
    """An image; `digest` is none where nobody has said which one the tag stands for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    tag: str
    digest: Digest | None = None
    version: str = Field(description="of what is in it, as the tag says")

    @classmethod
    def of(cls, repository: str, tag: str, digest: str | None) -> Self:
        """The image of these; its version is in its tag."""
        found = _VERSION.search(tag)
        return cls(repository=repository, tag=tag, digest=digest, version=found[0] if found else "")

    @classmethod
    def read(cls, reference: str) -> Self:
        """The image that `repository:tag@digest` names. Raises AigatewayError where it names none."""
        matched = _REFERENCE.fullmatch(reference)
        if matched is None:
            raise AigatewayError(
                f"'{reference}' is no image; must be repository:tag or repository:tag@digest"
            )
        return cls.of(**matched.groupdict())

    def __str__(self) -> str:
        tagged = f"{self.repository}:{self.tag}"
        return f"{tagged}@{self.digest}" if self.digest else tagged


class PinnedImages(BaseModel):
    """Both parts' images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    litellm: PinnedImage
    envoy: PinnedImage

    def of(self, part: PartName) -> PinnedImage:
        """The image of a part."""
        return self.litellm if part == "litellm" else self.envoy


class _Pins(BaseModel):
    """What is in PINS_FILE: Terraform's variable `image_digests`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_digests: Mapping[PartName, Digest]


def find_images(root: Path, settings: Settings) -> PinnedImages:
    """The images of an environment: the settings', with the digests of PINS_FILE where they have none.

    Raises AigatewayError when the file is none, or says otherwise than the settings.
    """
    path = locate_pins(root, settings)
    pins = _read_pins(path)
    found = {}
    for part in PARTS:
        image = getattr(settings.images, part)
        pin = pins.get(part)
        if pin and image.digest and pin != image.digest:
            raise AigatewayError(
                f"{path}: image_digests.{part}: is not images.{part}.digest of the settings; delete one of them"
            )
        found[part] = PinnedImage.of(image.repository, image.tag, image.digest or pin)
    return PinnedImages(**found)


def locate_pins(root: Path, settings: Settings) -> Path:
    """Where an environment's PINS_FILE is."""
    return root / "infra" / "env" / settings.environment / PINS_FILE


def write_pins(root: Path, settings: Settings, digests: Mapping[PartName, str]) -> Path:
    """Write the digests of both parts for Terraform; returns where."""
    path = locate_pins(root, settings)
    write_atomically(path, json.dumps({"image_digests": dict(digests)}, indent=2) + "\n")
    return path


def _read_pins(path: Path) -> Mapping[PartName, str]:
    try:
        return _Pins.model_validate_json(path.read_bytes()).image_digests
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise AigatewayError(
            f"{path}: is no list of image_digests; delete it, or make it with: aigateway pin {path.parent.name}"
        ) from error
