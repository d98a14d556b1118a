"""A release: what a checkout would deploy to an environment, named by digests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from aigateway.digests import hash_file, hash_folders
from aigateway.promotion.images import PinnedImages, find_images
from aigateway.rendering.renderer import FILE_NAMES
from aigateway.settings.model import Settings
from aigateway.settings.values import Digest


class Release(BaseModel):
    """What is deployed, and what it is tried with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str = Field(description="Git's, 40 hexadecimal digits; empty where there is no repository")
    dirty: bool = Field(description="whether there was something that is in no commit")
    features: Digest = Field(description="of features/ and steps/")
    templates: Digest = Field(description="of templates/")
    infrastructure: Digest = Field(description="of infra/modules/, the start scripts with it")
    configs: Mapping[str, Digest] = Field(description="of the environment's rendered files, by name")
    images: PinnedImages


def describe_release(root: Path, settings: Settings) -> Release:
    """The release that the checkout at `root` has for an environment, by the files that are on disk.

    Raises AigatewayError when one of them cannot be read.
    """
    commit = run_git(root, "rev-parse", "HEAD") or ""
    return Release(
        commit=commit,
        dirty=not commit or run_git(root, "status", "--porcelain") != "",
        features=hash_folders(root, "features", "steps"),
        templates=hash_folders(root, "templates"),
        infrastructure=hash_folders(root, "infra/modules"),
        configs=hash_configs(root, settings),
        images=find_images(root, settings),
    )


def describe_sibling(root: Path, release: Release, settings: Settings) -> Release:
    """The release that the same checkout has for another environment."""
    return release.model_copy(
        update={"configs": hash_configs(root, settings), "images": find_images(root, settings)}
    )


def run_git(root: Path, *arguments: str) -> str | None:
    """What Git says; None where it is not installed or refuses."""
    try:
        done = subprocess.run(
            ("git", "-C", str(root), *arguments),
            # To look must not take the lock that a command beside this one may need.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def hash_configs(root: Path, settings: Settings) -> dict[str, str]:
    """Digests of an environment's rendered files as they are on disk, by name."""
    folder = root / "infra" / "env" / settings.environment
    return {name: hash_file(folder / name) for name in FILE_NAMES}
