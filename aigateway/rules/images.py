"""Rules on the images: exact versions, none that is known to be dangerous, and with the shell that starts them.

They look at what Terraform is handed; it is set in gateway.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from aigateway.rendering.renderer import TFVARS
from aigateway.rules.rule import Complaint, Finding, rule
from aigateway.rules.subject import Subject, TerraformVariables
from aigateway.settings.model import Settings

#: The first LiteLLM without a known critical hole: CVE-2026-49468, Host header, below 1.84.0.
LITELLM_FLOOR = (1, 84, 0)
MALICIOUS_LITELLM = frozenset({(1, 82, 7), (1, 82, 8)})

ImageName = Literal["litellm", "envoy"]
Version = tuple[int, ...]

_NAMES: tuple[ImageName, ...] = ("litellm", "envoy")
_EXACT = {
    # LiteLLM's stable builds of a version, and their numbered patches, have tags of their own.
    "litellm": re.compile(r"v?(\d+)\.(\d+)\.(\d+)(-stable(\.patch\.\d+)?)?"),
    "envoy": re.compile(r"v?(\d+)\.(\d+)\.(\d+)"),
}
_EXAMPLES = {"litellm": "v1.106.2", "envoy": "v1.40.0"}
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def _split(reference: str) -> tuple[str, str]:
    """Repository and tag of `repository:tag@digest`; a port in the repository is none of the tag's."""
    named = reference.partition("@")[0]
    repository, _, tag = named.rpartition(":")
    return (named, "") if not repository or "/" in tag else (repository, tag)


def _list_images(variables: TerraformVariables) -> Iterator[tuple[ImageName, str, str]]:
    for name in _NAMES:
        yield (name, *_split(getattr(variables.images, name)))


def _read_version(tag: str) -> Version | None:
    """The version in a tag of any form; None where there is no whole one."""
    matched = _VERSION.search(tag)
    return tuple(int(part) for part in matched.groups()) if matched else None


@rule(
    "GW001",
    "Terraform variables without images or client keys of the right form",
    reason="what cannot be read cannot be judged, and Terraform would stop at it",
    source="infra/modules/aigateway_aca",
).on_subject
def readable_variables(subject: Subject) -> Iterator[Finding]:
    """The variables that the rules look at are there."""
    for misfit in subject.terraform.misfits:
        yield Finding(subject.files[TFVARS], misfit.path, misfit.message)


@rule(
    "GW002",
    "a tag that moves, or names no whole released version",
    reason="latest, main-…, v1.40-latest, -nightly and -dev are another image tomorrow, which nobody tested; LiteLLM's "
    "minor releases have changed who is let in",
    source="docs.litellm.ai/docs/proxy/release_cycle; hub.docker.com/r/envoyproxy/envoy/tags",
).on_terraform
def exact_tags(variables: TerraformVariables, _settings: Settings) -> Iterator[Complaint]:
    """One exact version each; a digest does not tell which version it is."""
    for name, repository, tag in _list_images(variables):
        if not _EXACT[name].fullmatch(tag) and "distroless" not in tag:
            yield (
                f"images.{name}",
                f"has the tag '{tag}'; must be a whole version such as {_EXAMPLES[name]}: set images.{name}.tag",
            )
        if repository.endswith(("-dev", "-nightly")):
            yield (
                f"images.{name}",
                f"is from {repository}, which has builds between releases; use released ones",
            )


@rule(
    "GW003",
    "a LiteLLM that was malicious",
    reason="1.82.7 and 1.82.8 were published by a thief and send every credential that they find to him",
    source="docs.litellm.ai/blog/security-update-march-2026; github.com/BerriAI/litellm/issues/24518",
).on_terraform
def malicious_versions(variables: TerraformVariables, _settings: Settings) -> Iterator[Complaint]:
    """None of the two."""
    _, tag = _split(variables.images.litellm)
    if _read_version(tag) in MALICIOUS_LITELLM:
        yield (
            "images.litellm",
            f"is {tag}; must be {_EXAMPLES['litellm']} or later: set images.litellm.tag",
        )


@rule(
    "GW004",
    "a LiteLLM below the floor of known critical holes",
    reason="below 1.84.0 a crafted Host header gets past the check of the key (CVE-2026-49468, CVSS 9.5)",
    source="github.com/BerriAI/litellm/security/advisories/GHSA-4xpc-pv4p-pm3w",
).on_terraform
def version_floor(variables: TerraformVariables, _settings: Settings) -> Iterator[Complaint]:
    """The floor or later; what has no version is refused for that."""
    _, tag = _split(variables.images.litellm)
    version = _read_version(tag)
    if version is not None and version < LITELLM_FLOOR:
        floor = ".".join(map(str, LITELLM_FLOOR))
        yield "images.litellm", f"is {tag}; must be {floor} or later: set images.litellm.tag"


@rule(
    "GW005",
    "an Envoy without a shell",
    reason="the start command, which checks the keys, is a shell script, and the distroless image has no shell",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/start/install; infra/modules/aigateway_aca/start/envoy.sh",
).on_terraform
def shell_in_image(variables: TerraformVariables, _settings: Settings) -> Iterator[Complaint]:
    """Not the distroless one."""
    if "distroless" in variables.images.envoy:
        yield "images.envoy", f"is the distroless one; use envoyproxy/envoy:{_EXAMPLES['envoy']}"
