"""`aigateway pin`: what both tags stand for, asked once of the registries, and then taken over from what was tried."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aigateway.errors import AigatewayError
from aigateway.promotion.evidence import read_evidence
from aigateway.promotion.images import PARTS, PartName, PinnedImage
from aigateway.promotion.registry import resolve
from aigateway.settings.model import Settings
from aigateway.settings.values import ENVIRONMENTS


def find_digests(
    settings: Settings, evidence: Path | None, running: Mapping[str, str] | None = None
) -> Mapping[PartName, str]:
    """The digests to pin: those that `evidence` says ran, or those that the registries' tags stand for now.

    Of a part whose image is among those that are `running`, by name of the part, the digest is that one's.
    Raises AigatewayError when one is not known, or is not the one that the settings have.
    """
    tried = _read_images(settings, evidence) if evidence else _find_running(settings, running or {})
    digests: dict[PartName, str] = {}
    for part in PARTS:
        image = getattr(settings.images, part)
        named = PinnedImage.of(image.repository, image.tag, None)
        digest = tried.get(part) or resolve(named)
        if image.digest and image.digest != digest:
            found = evidence or "the registry"
            raise AigatewayError(
                f"images.{part}.digest is {image.digest}, and {found} says that {named} is {digest}: the tag was "
                "moved, or the setting is wrong"
            )
        digests[part] = digest
    return digests


def _find_running(settings: Settings, running: Mapping[str, str]) -> Mapping[PartName, str]:
    found: dict[PartName, str] = {}
    for part in PARTS:
        if part in running:
            image, wanted = PinnedImage.read(running[part]), getattr(settings.images, part)
            if (image.repository, image.tag) == (wanted.repository, wanted.tag) and image.digest:
                found[part] = image.digest
    return found


def _read_images(settings: Settings, path: Path) -> Mapping[PartName, str]:
    evidence = read_evidence(path)
    before = ENVIRONMENTS[: ENVIRONMENTS.index(settings.environment)]
    if evidence.environment not in before:
        raise AigatewayError(
            f"{path}: is of {evidence.environment}, which is not before {settings.environment}"
        )
    found: dict[PartName, str] = {}
    for part in PARTS:
        ran, wanted = evidence.release.images.of(part), getattr(settings.images, part)
        if (ran.repository, ran.tag) != (wanted.repository, wanted.tag) or ran.digest is None:
            raise AigatewayError(
                f"{path}: says that {ran} ran; {settings.environment} wants {wanted.reference}, with a digest"
            )
        found[part] = ran.digest
    return found
