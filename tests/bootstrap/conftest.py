"""A cloud of each test's own."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from clouds import Cloud
from fake_cloud import EMPTY

FAKE = Path(__file__).with_name("fake_cloud.py")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes minutes, and programs that are not installed here")


@pytest.fixture
def make_cloud(tmp_path: Path) -> Callable[[], Cloud]:
    """Makes empty ones."""

    def make() -> Cloud:
        number = len(list(tmp_path.iterdir()))
        cloud = Cloud(tmp_path / f"cloud-{number}")
        cloud.programs.mkdir(parents=True)
        for program in ("az", "gh"):
            script = cloud.programs / program
            script.write_text(f"#!{sys.executable} -S\n{FAKE.read_text()}")
            script.chmod(0o755)
        cloud.write(copy.deepcopy(EMPTY))
        return cloud

    return make


@pytest.fixture
def cloud(make_cloud: Callable[[], Cloud]) -> Cloud:
    """An empty one."""
    return make_cloud()
