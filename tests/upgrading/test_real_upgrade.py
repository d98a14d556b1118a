"""Two real LiteLLMs beside one another, from the package registry; AIGATEWAY_OTHER_LITELLM names the other one:

AIGATEWAY_OTHER_LITELLM=1.105.0 .venv/bin/pytest tests/upgrading -m slow
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from trying import PRESENT, ROOT

from aigateway.scanning.checkout import list_files
from aigateway.upgrading.results import UpgradeResult

if TYPE_CHECKING:
    # Other folders' conftest would be found here, when their tests have run before.
    from conftest import Machine

VARIABLE = "AIGATEWAY_OTHER_LITELLM"
SECONDS = 1800

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no version"),
]


def test_two_real_ones_are_compared_and_the_checkout_is_left_alone(machine: Machine) -> None:
    other = os.environ[VARIABLE]
    real = replace(machine, checkout=ROOT, keep_cache=True)
    before = {name: (ROOT / name).read_bytes() for name in list_files(ROOT)}
    done = real.run("upgrade", other, "--profile", "openai-sdk", seconds=SECONDS)
    assert done.returncode in {0, 1}, done.stderr
    assert {name: (ROOT / name).read_bytes() for name in list_files(ROOT)} == before
    assert real.find_leftovers() == []
    result = UpgradeResult.model_validate_json(
        (ROOT / "build" / "upgrade" / other / "result.json").read_bytes()
    )
    assert result.conformant == (done.returncode == 0)
    assert (result.present.version, result.candidate.version) == (PRESENT, other)
    assert result.present.conformant
    assert sum(result.candidate.counts.values()) == sum(result.present.counts.values()) > 0
    # Each was really another LiteLLM: its own packages, and an app with routes of its own.
    assert any((one.package, one.candidate) == ("litellm", other) for one in result.packages)
    assert not result.routes.problem
    assert result.routes.present > 1000
