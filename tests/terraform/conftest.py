"""A copy of the infrastructure for the tests of Terraform: nothing is written into the checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from terraforming import MODULE, ROOT, Terraform, give_up, prepare


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the infrastructure, without what Terraform may have left in the checkout."""
    if shutil.which("terraform") is None:
        give_up("terraform is not installed")
    copy = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfplan")
    shutil.copytree(ROOT / "infra", copy / "infra", ignore=ignored)
    return copy


@pytest.fixture(scope="session")
def module(copy: Path) -> Terraform:
    """The module."""
    return prepare(copy / MODULE)
