"""Each command line of `az` that bootstrap uses is one that the real azure-cli takes.

Logged out, azure-cli ends with 2 where the arguments are wrong, and with 1 and the advice to log in where they are
right. It is 400 MB, and so in an environment of its own, which is named by AIGATEWAY_REAL_AZ:

    python3 -m venv DIR && DIR/bin/pip install azure-cli
    AIGATEWAY_REAL_AZ=DIR/bin/az .venv/bin/pytest tests/bootstrap -m slow
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from clouds import ROOT, make_cloud_in
from fake_cloud import AZURE
from test_bootstrap import ACCOUNT, MODELS, UNDONE, use_in_process

from aigateway.bootstrap import Part
from aigateway.bootstrap.parts import bootstrap
from aigateway.bootstrap.steps import Mode

VARIABLE = "AIGATEWAY_REAL_AZ"
SECONDS = 120

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no az"),
]


def collect_lines(folder: Path) -> dict[str, list[str]]:
    """One command line of each kind: the same words and options count as the same."""
    cloud = make_cloud_in(folder)
    lines: dict[str, list[str]] = {}
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
    for program, *arguments in calls:
        if program == "az":
            kind = " ".join(
                word
                for number, word in enumerate(arguments)
                if word.startswith("--") or not any(one.startswith("--") for one in arguments[:number])
            )
            lines.setdefault(kind, arguments)
    return lines


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
    assert {kind.split(" --")[0] for kind in lines} == set(AZURE)
    wrong = []
    for kind, arguments in lines.items():
        done = ask_real_az(arguments, tmp_path / "azure")
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
    ],
)
def test_the_real_az_refuses_a_wrong_one(tmp_path: Path, arguments: list[str]) -> None:
    assert ask_real_az(arguments, tmp_path / "azure").returncode == 2
