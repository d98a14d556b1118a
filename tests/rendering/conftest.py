"""A checkout of templates and settings that a test may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aigateway.settings.loading import find_root

ROOT = find_root(Path(__file__))


@pytest.fixture(scope="session")
def root() -> Path:
    """This checkout; only to be read."""
    return ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what rendering reads and writes."""
    for folder in ("templates", "infra"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns(".terraform*"))
    return tmp_path
