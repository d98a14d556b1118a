"""Each command line of `az` that bootstrap and a deployment use is one that the real azure-cli takes.

Logged out, azure-cli ends with 2 where the arguments are wrong, and with 1 and the advice to log in where they are
right. It is 400 MB, and so in an environment of its own, which is named by AIGATEWAY_REAL_AZ:

    python3 -m venv DIR && DIR/bin/pip install azure-cli
    AIGATEWAY_REAL_AZ=DIR/bin/az .venv/bin/pytest tests/bootstrap -m slow
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from clouds import ROOT, make_cloud_in
from fake_cloud import AZURE
from rich.console import Console
from test_bootstrap import ACCOUNT, MODELS, UNDONE, use_in_process

from aigateway import commands
from aigateway.bootstrap import Part
from aigateway.bootstrap.parts import bootstrap
from aigateway.bootstrap.steps import Mode
from aigateway.delivery import planning, rollout
from aigateway.delivery.planning import locate_plan
from aigateway.deployed import app
from aigateway.settings.loading import load_environment

VARIABLE = "AIGATEWAY_REAL_AZ"
SECONDS = 120

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no az"),
]


def collect_lines(folder: Path) -> dict[str, list[str]]:
    """Those of a first run, and of one that puts right what was undone."""
    cloud = make_cloud_in(folder)
    with pytest.MonkeyPatch.context() as patch:
        use_in_process(cloud, patch)
        bootstrap(ROOT, Part.ALL, "dev", Mode.CHANGE, lambda _line: None, account=MODELS)
        state = cloud.read()
        for undo in UNDONE.values():
            undo(state)
        for account in state["accounts"]:
            account.update(allowSharedKeyAccess=None, minimumTlsVersion="TLS1_0", allowBlobPublicAccess=None)
            account.update(enableHttpsTrafficOnly=False, allowCrossTenantReplication=None)
        cloud.write(state)
        bootstrap(ROOT, Part.ALL, "dev", Mode.CHANGE, lambda _line: None)
        calls = cloud.read()["calls"]
    return sort_lines(arguments for program, *arguments in calls if program == "az")


def sort_lines(every: Iterable[list[str]]) -> dict[str, list[str]]:
    """One command line of each kind: the same words and options count as the same."""
    lines: dict[str, list[str]] = {}
    for arguments in every:
        kind = " ".join(
            word
            for number, word in enumerate(arguments)
            if word.startswith("--") or not any(one.startswith("--") for one in arguments[:number])
        )
        lines.setdefault(kind, arguments)
    return lines


#: What a deployment asks of Azure; keys and logs are read by SDKs.
DELIVERY = {
    "group exists",
    "containerapp list",
    "containerapp show",
    "containerapp revision copy",
    "cognitiveservices account show",
    "cognitiveservices account keys list",
}


def collect_delivery_lines(folder: Path) -> dict[str, list[str]]:
    """Those of an apply that writes Azure's secrets, and of the rollback after it."""
    settings = load_environment(ROOT, "dev")
    said = {
        "group exists": "true",
        "containerapp list": json.dumps(["pvc-dev-aigateway-ca-san"]),
        "cognitiveservices account show": '"https://azure.test"',
        "cognitiveservices account keys": '"a-key-of-azure"',
    }
    asked: list[list[str]] = []
    revision = "app--1"

    def run(command: commands.Command) -> str:
        nonlocal revision
        asked.append(list(command.arguments))
        name = " ".join(command.arguments)
        if name.startswith("containerapp revision copy"):
            revision = "app--3"
        app = json.dumps({"latestRevisionName": revision, "latestReadyRevisionName": revision})
        return next((answer for start, answer in said.items() if name.startswith(start)), app)

    def apply(*_: object, **__: object) -> int:
        nonlocal revision
        revision = "app--2"
        return 0

    secrets = [
        {
            "address": name,
            "type": "azurerm_key_vault_secret",
            "index": name,
            "change": {"actions": ["create"], "before": None, "after": {}},
        }
        for name in ("azure-openai-endpoint", "azure-openai-key")
    ]
    shown = json.dumps({"variables": {"environment": {"value": "dev"}}, "resource_changes": secrets})
    plan = locate_plan(folder, "dev")
    plan.parent.mkdir(parents=True)
    plan.write_bytes(b"PK")
    with pytest.MonkeyPatch.context() as patch:
        for module in (commands, rollout, app):
            patch.setattr(module, "run", run)
        patch.setattr(planning, "run_terraform", lambda *_, **__: 0)
        patch.setattr(planning, "ask_terraform", lambda *_: shown)
        patch.setattr(rollout, "run_terraform", apply)
        patch.setenv(commands.SUBSCRIPTION_VARIABLE, "the-subscription")
        for name in ("ENDPOINT", "KEY", "KEY_NAME"):
            patch.delenv(f"AZURE_OPENAI_{name}", raising=False)
        patch.setenv("AZURE_OPENAI_ACCOUNT", "models")
        patch.setenv("AZURE_OPENAI_GROUP", "ai")
        rollout.apply_plan(folder, settings, plan, Console(quiet=True))
        rollout.roll_back(folder, settings, Console(quiet=True))
    return sort_lines(asked)


def ask_real_az(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [os.environ[VARIABLE], *arguments],
        env={**os.environ, "AZURE_CONFIG_DIR": str(folder), "AZURE_CORE_COLLECT_TELEMETRY": "no"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_real_az_takes_each_command_line(tmp_path: Path) -> None:
    lines = collect_lines(tmp_path / "cloud")
    # Nothing that the fake knows was left out, so nothing is only the fake's.
    assert list_names(lines) == set(AZURE)
    require_taken(lines, tmp_path / "azure")


def test_the_real_az_takes_each_command_line_of_a_deployment(tmp_path: Path) -> None:
    lines = collect_delivery_lines(tmp_path)
    assert list_names(lines) == DELIVERY
    require_taken(lines, tmp_path / "azure")


@pytest.mark.parametrize(
    "line",
    [
        "containerapp logs show -n x -g x --revision x --container litellm",
        "cognitiveservices account list --output table",
        "cognitiveservices account show -n x -g x --query properties.endpoint -o tsv",
        "cognitiveservices account keys list -n x -g x --query key1 -o tsv",
    ],
)
def test_the_real_az_takes_what_messages_and_pages_advise(tmp_path: Path, line: str) -> None:
    require_taken({line: line.split()}, tmp_path)


def list_names(lines: Iterable[str]) -> set[str]:
    return {kind.split(" --")[0] for kind in lines}


def require_taken(lines: dict[str, list[str]], folder: Path) -> None:
    wrong = []
    for kind, arguments in lines.items():
        done = ask_real_az(arguments, folder)
        if done.returncode != 1 or "az login" not in done.stderr:
            wrong.append(f"{kind}: {done.returncode}: {done.stderr.strip()[:500]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "arguments",
    [
        ["storage", "account", "create", "--name", ACCOUNT, "--resource-group", "x", "--versioned", "true"],
        ["lock", "create", "--name", "x", "--resource-group", "x", "--lock-type", "Never"],
        ["storage", "container", "wish"],
        ["group", "create", "--name", "x"],
        ["containerapp", "revision", "copy", "--name", "x", "--resource-group", "x", "--of-revision", "x"],
        ["cognitiveservices", "account", "keys", "list", "--name", "x"],
    ],
)
def test_the_real_az_refuses_a_wrong_one(tmp_path: Path, arguments: list[str]) -> None:
    assert ask_real_az(arguments, tmp_path / "azure").returncode == 2
