"""The laboratory of a test: a plugin of the tests that use it.

It is no conftest: of those, tests import the last that was loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
from laboratory import Lab


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Inspecting Proxy Ltd")


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA) -> Iterator[Lab]:
    with ExitStack() as undo:
        yield Lab(undo, monkeypatch, tmp_path, authority)
