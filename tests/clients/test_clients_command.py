"""`aigateway clients`, as a person runs it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pointing import DEPLOYED, LOCAL, leave_evidence

from aigateway.clients.connection import Connection
from aigateway.rendering.renderer import render_environment

if TYPE_CHECKING:
    # Other folders' conftest would be found here, when their tests have run before.
    from conftest import Machine


def test_one_file_comes_bare_and_the_guide_beside_it(machine: Machine) -> None:
    leave_evidence(machine.checkout, "deployed")
    done = machine.run("clients", "dev", "--client", "codex")
    assert done.returncode == 0, done.stderr
    (provider,) = tomllib.loads(done.stdout)["model_providers"].values()
    assert provider["base_url"] == f"{DEPLOYED}/v1"
    assert "~/.codex/" in done.stderr
    assert f"dev at {DEPLOYED}: the deployed gateway conformed on 2026-11-20 at 08:30 UTC" in done.stderr


def test_all_of_them_for_a_laptop(machine: Machine) -> None:
    leave_evidence(machine.checkout, "local")
    done = machine.run("clients", "dev", "--base-url", f"{LOCAL}/v1")
    assert done.returncode == 0, done.stderr
    assert "── codex/config.toml\n" in done.stdout
    assert "── openai/try.mjs\n" in done.stdout
    assert LOCAL in done.stdout


def test_files_are_written_where_that_is_asked(machine: Machine, tmp_path: Path) -> None:
    leave_evidence(machine.checkout, "deployed")
    folder = tmp_path / "settings"
    done = machine.run("clients", "dev", "--write", str(folder))
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "roo" / "roo-settings.json").read_text())
    assert f"wrote {folder}/codex/config.toml" in done.stdout
    again = machine.run("clients", "dev", "--write", str(folder))
    assert again.stdout == f"{folder}: all of it is there already\n"
    (folder / "codex" / "config.toml").write_text("mine")
    refused = machine.run("clients", "dev", "--write", str(folder))
    assert refused.returncode == 2
    assert "--force" in refused.stderr


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (
            lambda folder: (folder / "codex/config.toml").mkdir(parents=True),
            "codex/config.toml: is a folder, where",
        ),
        (lambda folder: (folder / "kilo").write_text(""), "kilo: is a file, where a folder has to be"),
    ],
)
def test_where_there_cannot_be_such_files_nothing_is_written(
    machine: Machine, tmp_path: Path, block: Callable[[Path], object], said: str
) -> None:
    leave_evidence(machine.checkout, "deployed")
    folder = tmp_path / "settings"
    folder.mkdir()
    block(folder)
    before = sorted(folder.rglob("*"))
    done = machine.run("clients", "dev", "--write", str(folder))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {folder}/{said}"), done.stderr
    assert done.stderr.endswith("name another folder with --write. Nothing was written\n")
    assert sorted(folder.rglob("*")) == before


def test_a_folder_whose_name_is_too_long_is_one_clear_line(machine: Machine, tmp_path: Path) -> None:
    leave_evidence(machine.checkout, "deployed")
    done = machine.run("clients", "dev", "--write", str(tmp_path / ("a" * 300)))
    assert done.returncode == 2
    assert "File name too long; name another folder with --write. Nothing was written" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_gets_json(machine: Machine) -> None:
    leave_evidence(machine.checkout, "deployed")
    done = machine.run("clients", "dev", "--json")
    connection = Connection.model_validate_json(done.stdout)
    assert connection.base_url == DEPLOYED
    assert len(connection.kits) == 9


def test_a_client_that_cannot_be_pointed_at_it_is_named_and_the_others_are_given(machine: Machine) -> None:
    path = machine.checkout / "infra/env/dev/gateway.yaml"
    path.write_text(
        path.read_text() + "azure: {responses: {model: house-model, base_model: azure/gpt-5.3-codex}}\n"
    )
    render_environment(machine.checkout, "dev").write()
    leave_evidence(machine.checkout, "deployed")
    done = machine.run("clients", "dev")
    assert done.returncode == 0, done.stderr
    assert "── not roo: Roo's provider" in done.stderr
    assert "── roo/" not in done.stdout
    assert "── roo-compatible/" in done.stdout
    alone = machine.run("clients", "dev", "--client", "roo")
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "gpt-5.1-codex-max" in alone.stderr


def test_nothing_is_given_for_a_gateway_that_nobody_tried(machine: Machine) -> None:
    done = machine.run("clients", "dev")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: build/accept/dev-deployed/evidence.json: is not there, so nothing says that dev's deployed gateway "
        "conforms; run: aigateway accept dev --target deployed; or, where GitHub Actions deployed it, take what that "
        "run tried: gh run download RUN --name evidence-dev --dir build/accept/dev-deployed\n"
    )


def test_nothing_is_given_while_rendered_files_are_stale(machine: Machine) -> None:
    leave_evidence(machine.checkout, "deployed")
    path = machine.checkout / "infra/env/dev/litellm.yaml"
    path.write_text(path.read_text() + "# edited\n")
    done = machine.run("clients", "dev")
    assert (done.returncode, done.stdout) == (2, "")
    assert "run: aigateway render" in done.stderr


def test_options_that_contradict_one_another(machine: Machine) -> None:
    assert "give one of them" in machine.run("clients", "dev", "--json", "--write", "x").stderr
    assert "--force is about" in machine.run("clients", "dev", "--force").stderr
    assert machine.run("clients", "dev", "--client", "emacs").returncode == 2
