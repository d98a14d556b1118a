"""New values for an environment's secrets: random, of the form that the start scripts take, and shown to nobody."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aigateway.errors import AigatewayError
from aigateway.secret_values import list_secret_names, make_secrets
from aigateway.settings.loading import load_environment
from aigateway.settings.values import ENVIRONMENTS

ROOT = Path(__file__).parents[1]
DEV = load_environment(ROOT, "dev")
AZURE = {
    "AZURE_OPENAI_ENDPOINT": "https://contoso.openai.azure.com/\n",
    "AZURE_OPENAI_KEY": "0123456789abcdef" * 2,
}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_secret_has_a_value_of_its_own(environment: str) -> None:
    settings = load_environment(ROOT, environment)
    values = make_secrets(settings, [], AZURE)
    assert tuple(values) == list_secret_names(settings)
    assert len(set(values.values())) == len(values)
    assert {"litellm-master-key", "litellm-salt-key", "client-roo-a"} <= set(values)


def test_keys_are_new_each_time_and_long_enough() -> None:
    one, other = (make_secrets(DEV, ["litellm-master-key", "client-roo-a"], {}) for _ in range(2))
    assert not set(one.values()) & set(other.values())
    assert all(re.fullmatch(r"sk-[A-Za-z0-9_-]{43}", value) for value in one.values())


def test_azures_values_are_taken_as_they_are() -> None:
    values = make_secrets(DEV, ["azure-openai-endpoint", "azure-openai-key"], AZURE)
    assert values == {
        "azure-openai-endpoint": "https://contoso.openai.azure.com/",
        "azure-openai-key": AZURE["AZURE_OPENAI_KEY"],
    }


def test_a_value_of_azures_that_is_missing_is_told_with_the_command_that_shows_it() -> None:
    with pytest.raises(
        AigatewayError, match=r'export AZURE_OPENAI_KEY="\$\(az cognitiveservices account keys list'
    ):
        make_secrets(DEV, ["azure-openai-key"], {"AZURE_OPENAI_KEY": " "})


def test_a_secret_that_is_none_is_refused() -> None:
    with pytest.raises(AigatewayError, match="dev has no secret client-roo; did you mean"):
        make_secrets(DEV, ["client-roo"], AZURE)


PROGRAM = Path(sys.executable).with_name("aigateway")


def test_the_command_prints_json_for_terraform() -> None:
    done = subprocess.run(
        [PROGRAM, "secrets", "dev", "client-roo-a"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert list(json.loads(done.stdout)) == ["client-roo-a"]


def test_the_command_shows_no_secret_on_a_screen() -> None:
    screen, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [PROGRAM, "secrets", "dev", "client-roo-a"],
            cwd=ROOT,
            stdout=terminal,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(terminal)
        os.close(screen)
    assert done.returncode == 2
    assert 'export TF_VAR_secrets="$(aigateway secrets dev client-roo-a)"' in done.stderr
    assert "sk-" not in done.stderr
