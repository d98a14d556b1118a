"""Rendering is repeatable, refuses what would be read as something else, and writes whole files or none."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from aigateway.errors import AigatewayError, RenderError
from aigateway.launching.commands import ADDRESS_VARIABLES, find_placeholders
from aigateway.names import RESOURCES
from aigateway.rendering.renderer import (
    ENVOY,
    FILE_NAMES,
    LITELLM,
    TFVARS,
    Rendering,
    render_environment,
    render_settings,
)
from aigateway.settings.loading import load_environment
from aigateway.settings.values import ENVIRONMENTS

TEMPLATES = tuple(f"{name}.j2" for name in FILE_NAMES)


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} does not hold {old!r} any more"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def _line_of(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def _read_files(checkout: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(checkout.rglob("*")) if path.is_file()}


def _run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("aigateway")
    return subprocess.run(
        [program, *arguments], cwd=checkout, capture_output=True, text=True, timeout=60, check=False
    )


# --- the same settings, the same bytes


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_process_renders_the_same_bytes(root: Path, environment: str) -> None:
    program = (
        "import json, sys; from pathlib import Path; from aigateway.rendering.renderer import render_environment;"
        "print(json.dumps(render_environment(Path(sys.argv[1]), sys.argv[2]).texts))"
    )
    here = render_environment(root, environment).texts
    # What differs between processes: the order of a set, the language, the time zone, the working directory.
    strange = {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Pacific/Auckland", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", program, root, environment],
        env=strange,
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == here


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_is_committed_is_what_is_rendered(root: Path, environment: str) -> None:
    assert list(render_environment(root, environment).find_stale()) == []


# --- a template that is wrong


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_unknown_setting_in_a_template_is_named_with_its_file_and_line(
    checkout: Path, template: str
) -> None:
    path = checkout / "templates" / template
    path.write_text(path.read_text() + "\n# {{ settings.no_such_setting }}\n")
    with pytest.raises(RenderError) as caught:
        render_environment(checkout, "dev")
    message = str(caught.value)
    assert f"templates/{template}:{_line_of(path, 'no_such_setting')}" in message
    assert "no_such_setting" in message


def test_an_unknown_setting_is_refused_where_it_is_only_asked_about(checkout: Path) -> None:
    path = checkout / "templates" / "litellm.yaml.j2"
    path.write_text("{% if settings.retries.no_such_setting %}a: 1{% endif %}\n")
    with pytest.raises(RenderError, match=r"templates/litellm\.yaml\.j2:1: .*no_such_setting"):
        render_environment(checkout, "dev")


def test_a_mistake_in_a_templates_syntax_is_named_with_its_file_and_line(checkout: Path) -> None:
    path = checkout / "templates" / "envoy.yaml.j2"
    _edit(path, "{%- for reply in edge.replies %}", "{%- for reply edge.replies %}")
    line = _line_of(path, "for reply edge.replies")
    with pytest.raises(RenderError, match=rf"templates/envoy\.yaml\.j2:{line}: "):
        render_environment(checkout, "dev")


def test_a_missing_template_is_named(checkout: Path) -> None:
    (checkout / "templates" / "envoy.yaml.j2").unlink()
    with pytest.raises(RenderError, match=r"templates/envoy\.yaml\.j2: is missing"):
        render_environment(checkout, "dev")


def test_what_is_no_yaml_is_refused(checkout: Path) -> None:
    _edit(checkout / "templates" / "litellm.yaml.j2", "model_list:", "model_list: [")
    with pytest.raises(RenderError, match=r"templates/litellm\.yaml\.j2: renders to what is not YAML"):
        render_environment(checkout, "dev")


def test_what_is_no_json_is_refused(checkout: Path) -> None:
    # A comma too many is YAML, and Terraform reads JSON.
    _edit(checkout / "templates" / "terraform.tfvars.json.j2", '  "project"', '  # "project"')
    with pytest.raises(
        RenderError, match=r"templates/terraform\.tfvars\.json\.j2: renders to what is not JSON"
    ):
        render_environment(checkout, "dev")


def test_what_is_no_mapping_is_refused(checkout: Path) -> None:
    (checkout / "templates" / "litellm.yaml.j2").write_text("- a\n- b\n")
    with pytest.raises(RenderError, match=r"litellm\.yaml.*is not a mapping"):
        render_environment(checkout, "dev").parse(LITELLM)


def test_an_unquoted_date_is_refused(checkout: Path) -> None:
    path = checkout / "templates" / "litellm.yaml.j2"
    _edit(path, "azure.embeddings.api_version | tojson", "azure.embeddings.api_version")
    with pytest.raises(RenderError) as caught:
        render_environment(checkout, "dev")
    message = str(caught.value)
    assert "templates/litellm.yaml.j2: model_list[1].litellm_params.api_version is read as a date" in message


def test_a_key_that_stands_there_twice_is_refused(checkout: Path) -> None:
    # YAML's readers take the last one without a word.
    _edit(
        checkout / "templates" / "litellm.yaml.j2",
        "  drop_params: true",
        "  drop_params: true\n  drop_params: false",
    )
    with pytest.raises(RenderError, match=r"templates/litellm\.yaml\.j2:.*drop_params. stands there twice"):
        render_environment(checkout, "dev")


# --- YAML and JSON


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("name", FILE_NAMES)
def test_each_file_survives_being_read_and_written(root: Path, environment: str, name: str) -> None:
    rendering = render_environment(root, environment)
    data = rendering.parse(name)
    assert yaml.safe_load(yaml.safe_dump(data)) == data
    if name == TFVARS:
        assert json.loads(rendering.texts[name]) == data


# --- files: stale, written, half-written


def test_nothing_is_stale_after_writing(checkout: Path) -> None:
    for name in FILE_NAMES:
        (checkout / "infra/env/dev" / name).unlink()
    rendering = render_environment(checkout, "dev")
    assert len(list(rendering.find_stale())) == len(FILE_NAMES)
    written = rendering.write()
    assert {path.name for path in written} == set(FILE_NAMES)
    assert {path.name: path.read_text() for path in written} == rendering.texts
    assert list(rendering.find_stale()) == []
    rendering.require_current()


def test_a_file_that_is_current_is_not_touched(checkout: Path) -> None:
    rendering = render_environment(checkout, "dev")
    rendering.write()
    before = {path: path.stat().st_mtime_ns for path in (checkout / "infra/env/dev").iterdir()}
    assert rendering.write() == ()
    assert {path: path.stat().st_mtime_ns for path in (checkout / "infra/env/dev").iterdir()} == before


def test_an_edit_by_hand_is_shown_as_a_diff(checkout: Path) -> None:
    path = checkout / "infra/env/dev/litellm.yaml"
    _edit(path, "  drop_params: true", "  drop_params: false")
    rendering = render_environment(checkout, "dev")
    (diff,) = rendering.find_stale()
    assert "\n-  drop_params: false\n+  drop_params: true\n" in diff
    assert f"--- {path} (on disk)" in diff
    with pytest.raises(RenderError, match="aigateway render"):
        rendering.require_current()


@pytest.mark.parametrize("damage", [b"\xff\xfe\x00", b"", None])
def test_a_file_that_cannot_be_read_is_stale(checkout: Path, damage: bytes | None) -> None:
    path = checkout / "infra/env/dev/envoy.yaml"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    rendering = render_environment(checkout, "dev")
    assert len(list(rendering.find_stale())) == 1
    assert rendering.write() == (path,)


def test_other_line_ends_are_stale(checkout: Path) -> None:
    path = checkout / "infra/env/dev/envoy.yaml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert list(render_environment(checkout, "dev").find_stale()), "written, but never shown as stale"


def test_a_full_disk_leaves_the_old_file_whole(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _edit(
        checkout / "infra/env/dev/gateway.yaml",
        "environment: dev",
        "environment: dev\nrequest_body_limit_mib: 7",
    )
    before = _read_files(checkout)

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(AigatewayError, match="the disk is full"):
        render_environment(checkout, "dev").write()
    assert _read_files(checkout) == before, "half-written, or a temporary file left behind"


def test_one_broken_template_leaves_every_file_of_every_environment_as_it_was(checkout: Path) -> None:
    _edit(checkout / "templates" / "litellm.yaml.j2", "  drop_params: true", "  drop_params: true # said so")
    # Only staging's settings meet the mistake, after dev has been rendered.
    path = checkout / "templates" / "terraform.tfvars.json.j2"
    path.write_text(path.read_text() + "{% if settings.environment == 'staging' %}{{ nothing }}{% endif %}")
    before = _read_files(checkout)
    done = _run(checkout, "render")
    assert done.returncode == 2
    assert "templates/terraform.tfvars.json.j2" in done.stderr
    assert "Traceback" not in done.stderr
    assert _read_files(checkout) == before


def test_the_check_fails_with_a_diff_and_writes_nothing(checkout: Path) -> None:
    _edit(checkout / "infra/env/prod/litellm.yaml", "  drop_params: true", "  drop_params: false")
    before = _read_files(checkout)
    done = _run(checkout, "render", "--check")
    assert done.returncode == 2
    assert "-  drop_params: false\n+  drop_params: true\n" in done.stdout
    assert "aigateway render" in done.stderr
    assert _read_files(checkout) == before
    assert _run(checkout, "render", "--check", "dev").returncode == 0


def test_a_refusal_of_envoys_writes_nothing(checkout: Path) -> None:
    # YAML, no rule broken, and yet no config of Envoy's.
    _edit(
        checkout / "templates" / "envoy.yaml.j2",
        "connect_timeout: {{ settings.timeouts.connect_seconds }}s",
        "connect_timeout: {{ settings.timeouts.connect_seconds }} seconds",
    )
    before = _read_files(checkout)
    done = _run(checkout, "render", "dev")
    assert done.returncode == 2
    assert "templates/envoy.yaml.j2: Envoy refuses it for dev" in done.stderr
    assert "connect_timeout" in done.stderr
    assert len(done.stderr) < 1000, "the whole config is shown"
    assert "Traceback" not in done.stderr
    assert _read_files(checkout) == before


# --- nothing secret, no endpoint

_SECRET_FORMS = re.compile(
    r"sk-[A-Za-z0-9_-]{8,}|[0-9a-fA-F]{32,}|[A-Za-z0-9+/_-]{40,}={0,2}|-----BEGIN|eyJ[A-Za-z0-9_-]{10,}"
)
_ENDPOINT_FORMS = re.compile(r"https?://|\.azure\.com|\.windows\.net|\.azure-api\.net", re.IGNORECASE)
# Long words that are no secret.
_LONG_WORDS = re.compile(r"type\.googleapis\.com/[\w.]+|(infra/env/\w+/gateway\.yaml)|REQUEST_BODY\(\w+\)")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("name", FILE_NAMES)
def test_no_secret_and_no_endpoint_stands_in_a_file(root: Path, environment: str, name: str) -> None:
    text = _LONG_WORDS.sub("", render_environment(root, environment).texts[name])
    assert _SECRET_FORMS.findall(text) == []
    assert _ENDPOINT_FORMS.findall(text) == []


def test_the_forms_of_secrets_and_endpoints_are_found() -> None:
    for secret in ("sk-abcdefghij", "0" * 32, "A" * 43 + "=", "-----BEGIN KEY", "eyJhbGciOiJIUzI1NiJ9"):
        assert _SECRET_FORMS.search(f'key: "{secret}"')
    assert _ENDPOINT_FORMS.search("api_base: https://pvc.example")
    assert _ENDPOINT_FORMS.search("host: pvc.openai.azure.com")


def test_nothing_of_the_machines_environment_gets_into_a_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = render_environment(root, "dev").texts
    for name in ("AZURE_OPENAI_KEY", "AZURE_OPENAI_ENDPOINT", "LITELLM_MASTER_KEY", "CLIENT_KEY_ROO_A"):
        monkeypatch.setenv(name, "sk-out-of-the-environment")
    assert render_environment(root, "dev").texts == before


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_secret_and_the_endpoint_are_references(root: Path, environment: str) -> None:
    rendering = render_environment(root, environment)
    for model in rendering.parse(LITELLM)["model_list"]:
        parameters = model["litellm_params"]
        assert parameters["api_key"] == "os.environ/AZURE_OPENAI_KEY"
        assert parameters["api_base"] == "os.environ/AZURE_OPENAI_ENDPOINT"
    assert rendering.parse(LITELLM)["general_settings"]["master_key"] == "os.environ/LITELLM_MASTER_KEY"
    variables = {variable for client in rendering.settings.clients for variable in client.key_variables}
    named = set(find_placeholders(rendering.texts[ENVOY]))
    assert named == variables | {"LITELLM_MASTER_KEY"} | ADDRESS_VARIABLES


# --- two projects side by side


def _render_project(root: Path, project: str, environment: str) -> Rendering:
    settings = load_environment(root, environment)
    return render_settings(root, settings.model_copy(update={"project": project}))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_two_projects_differ_in_every_name(root: Path, environment: str) -> None:
    one, other = (
        _render_project(root, project, environment).parse(TFVARS) for project in ("coding", "indexing")
    )
    assert set(one["names"]) == set(RESOURCES)
    assert [name for name in RESOURCES if one["names"][name] == other["names"][name]] == []
    for data, project in ((one, "coding"), (other, "indexing")):
        assert "aigateway" not in json.dumps(data)
        assert data["project"] == project


def test_environments_of_a_project_differ_in_every_name(root: Path) -> None:
    names = [render_environment(root, environment).parse(TFVARS)["names"] for environment in ENVIRONMENTS]
    for resource in RESOURCES:
        assert len({each[resource] for each in names}) == len(ENVIRONMENTS), resource


def test_no_projects_name_is_written_into_the_configs(root: Path) -> None:
    texts = _render_project(root, "coding", "dev").texts
    # The command that makes the files is called so in every project.
    assert all("aigateway" not in text.replace("`aigateway render`", "") for text in texts.values())
