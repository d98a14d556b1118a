"""Where a deployed gateway is, and its key, are found, or a line says what to do: no gateway is needed for that.

Terraform is a script on PATH; Azure is fake_azure, to which Azure's own packages talk.
"""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from fake_azure import GATEWAY, LOGS, VAULT, WORKSPACE, FakeAzure, run_fake_azure

from aigateway.deployed.deployment import Deployment, find_deployment
from aigateway.deployed.logs import find_log_lines
from aigateway.errors import AigatewayError

KEY = "sk-" + "Zz9" * 12
ADDRESS = f"https://{GATEWAY}"


class StandIn(http.server.BaseHTTPRequestHandler):
    """As much of a gateway as is asked before the scenarios are."""

    health = 200

    def do_GET(self) -> None:
        allowed = self.path == "/healthz" or self.headers.get("Authorization") == f"Bearer {KEY}"
        self.send_response(self.health if allowed else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAzure]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with run_fake_azure(tmp_path_factory.mktemp("azure")) as fake:
        fake.gateway = f"http://127.0.0.1:{server.server_address[1]}"
        yield fake
    server.shutdown()
    thread.join()
    server.server_close()


class Person:
    """Somebody at a machine behind the proxy, who has programs of their own."""

    def __init__(self, azure: FakeAzure, programs: Path, patch: pytest.MonkeyPatch) -> None:
        self.azure = azure
        self.programs = programs
        self.patch = patch
        for name, value in {**azure.environment, "PATH": str(programs)}.items():
            patch.setenv(name, value)
        patch.delenv("AIGATEWAY_KEY", raising=False)

    def install(self, program: str, script: str) -> None:
        path = self.programs / program
        path.write_text(f"#!{sys.executable} -S\nimport sys\n{script}\n")
        path.chmod(0o755)

    def use_terraform(self, outputs: dict[str, str]) -> None:
        said = json.dumps({name: {"value": value} for name, value in outputs.items()})
        self.install("terraform", f"print({said!r})")

    def use_key(self, key: str = KEY) -> None:
        self.patch.setenv("AIGATEWAY_KEY", key)

    def find(self, base_url: str = "", workspace: str = "") -> Deployment:
        return find_deployment(ROOT, "dev", base_url, workspace)

    def fail(self, base_url: str = "", workspace: str = "") -> str:
        """Why it cannot be found."""
        with pytest.raises(AigatewayError) as caught:
            self.find(base_url, workspace)
        said = str(caught.value)
        assert KEY not in said
        assert len(said.splitlines()) == 1, said
        return said


@pytest.fixture
def person(azure: FakeAzure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    yield Person(azure, tmp_path, monkeypatch)
    azure.secrets.clear()
    azure.refusals.clear()
    azure.asked.clear()


def test_address_and_key_are_found(person: Person) -> None:
    person.use_terraform({"base_url": ADDRESS})
    person.azure.secrets["client-acceptance-a"] = KEY
    found = person.find()
    assert (found.base_url, found.key, found.workspace) == (ADDRESS, KEY, "")
    assert KEY not in repr(found)


def test_what_is_given_is_not_asked_for(person: Person) -> None:
    person.use_key()
    found = person.find(f"{ADDRESS}/v1/", WORKSPACE)
    assert (found.base_url, found.key, found.workspace) == (ADDRESS, KEY, WORKSPACE)
    assert person.azure.asked == []


# --- Terraform


def test_no_terraform(person: Person) -> None:
    assert person.fail() == "--base-url is not given, and terraform is not installed"


def test_a_state_that_cannot_be_read(person: Person) -> None:
    person.install(
        "terraform",
        "sys.stderr.write('There are problems\\n│ Warning: Unable\\n\\nError: Backend initialization "
        'required, please run "terraform init"\\n\\nReason: Initial\\n\'); sys.exit(1)',
    )
    assert person.fail() == (
        "--base-url is not given, and terraform output failed in infra/env/dev: "
        'Backend initialization required, please run "terraform init"; run first: aigateway plan dev'
    )


@pytest.mark.parametrize("script", ["print('{}')", 'print(\'{"other": {"value": "x"}}\')'])
def test_nothing_is_deployed(person: Person, script: str) -> None:
    person.install("terraform", script)
    assert person.fail() == (
        "--base-url is not given, and Terraform has no output base_url for dev; is it deployed?"
    )


@pytest.mark.parametrize("said", ["", "nothing", "[]", "null", '{"base_url": "https://x"}'])
def test_terraform_says_nonsense(person: Person, said: str) -> None:
    person.install("terraform", f"print({said!r})")
    assert "terraform says nothing that can be read" in person.fail()


# --- the address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("gateway.test", "is no address of a gateway"),
        ("https://", "is no address of a gateway"),
        ("ftp://gateway.test", "is no address of a gateway"),
        ("https://gateway.test:port", "is no address of a gateway"),
        ("https://me:secret@gateway.test", "the base URL has a user"),
        ("https://gateway.test?key=secret", "the base URL has a user, a query"),
        ("http://gateway.test", "would send the key unencrypted"),
        ("http://127.0.0.1.gateway.test", "would send the key unencrypted"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9/healthz cannot be reached: "),
        ("https://nowhere.test", "https://nowhere.test/healthz cannot be reached: "),
    ],
)
def test_an_address_that_cannot_be_used(person: Person, address: str, expected: str) -> None:
    person.use_key()
    said = person.fail(address)
    assert expected in said
    assert "secret" not in said


def test_no_gateway_is_there(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StandIn, "health", 503)
    person.use_key()
    assert person.fail(ADDRESS) == f"{ADDRESS}/healthz says 503; is a gateway there, and up?"


# --- the key


def test_a_key_that_is_refused(person: Person) -> None:
    person.use_key("sk-of-nobody")
    said = person.fail(ADDRESS)
    assert said == f"{ADDRESS} refuses the key; is it one of dev's, and still valid?"


@pytest.mark.parametrize("key", [f"{KEY}\n", f" {KEY}", f"{KEY}é"])
def test_a_key_that_is_none(person: Person, key: str) -> None:
    person.use_key(key)
    assert person.fail(ADDRESS).startswith("AIGATEWAY_KEY is no key: ")


def test_nobody_is_logged_in(person: Person) -> None:
    person.patch.delenv("IDENTITY_ENDPOINT")
    assert person.fail(ADDRESS) == (
        "AIGATEWAY_KEY is not set, and reading the secret client-acceptance-a of Key Vault "
        "pvc-dev-aigateway-kv-san failed: nobody is logged in to Azure here; run: az login"
    )


def test_a_login_that_has_expired(person: Person) -> None:
    person.patch.delenv("IDENTITY_ENDPOINT")
    person.install(
        "az",
        "sys.stderr.write('ERROR: AADSTS700082: The refresh token has expired due to inactivity.\\n'); "
        "sys.exit(1)",
    )
    assert "failed: the login to Azure has expired" in person.fail(ADDRESS)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ((401, "Unauthorized"), "the login to Azure has expired, or is for another tenant; run: az login"),
        ((403, "Forbidden"), "it takes the role Key Vault Secrets User"),
        ((400, "BadParameter"), "(BadParameter) the message of BadParameter"),
        (None, "(SecretNotFound) client-acceptance-a was not found"),
    ],
)
def test_a_vault_that_refuses(person: Person, refusal: tuple[int, str] | None, expected: str) -> None:
    if refusal:
        person.azure.refusals[VAULT] = refusal
    assert expected in person.fail(ADDRESS)


def test_an_empty_secret(person: Person) -> None:
    person.azure.secrets["client-acceptance-a"] = ""
    assert "the secret client-acceptance-a of Key Vault" in person.fail(ADDRESS)


def test_no_network(person: Person) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        person.patch.setenv(name, "http://127.0.0.1:9")
    assert "failed: no answer; does it exist, and is there a network?" in person.fail(ADDRESS)


def test_the_packages_are_not_installed(person: Person) -> None:
    person.patch.setitem(sys.modules, "azure.core.exceptions", None)
    assert person.fail(ADDRESS) == (
        "AIGATEWAY_KEY is not set, and reading the secret client-acceptance-a of Key Vault "
        "pvc-dev-aigateway-kv-san takes Azure's packages; run: .venv/bin/pip install --editable '.[azure]'"
    )


# --- the central log


@pytest.mark.parametrize("workspace", ["pvc-dev-aigateway-law-san", "0123", "/subscriptions/x"])
def test_a_workspace_that_is_none(person: Person, workspace: str) -> None:
    person.use_key()
    said = person.fail(ADDRESS, workspace)
    assert said.startswith(f"'{workspace}' is no id of a Log Analytics workspace")


def test_the_workspace_is_asked_of_terraform(person: Person) -> None:
    person.use_terraform({"base_url": ADDRESS, "log_analytics_workspace_id": "nonsense"})
    person.use_key()
    assert "'nonsense' is no id of a Log Analytics workspace" in person.fail()


def test_lines_are_found_by_their_words(person: Person) -> None:
    person.patch.setattr(person.azure, "read_logs", lambda: ['{"a": "one"}', "two", "three"])
    assert find_log_lines(WORKSPACE, ["one", "three"], 1) == ['{"a": "one"}', "three"]
    resource = "/subscriptions/1/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w"
    assert find_log_lines(resource, ["two"], 1) == ["two"]
    assert person.azure.asked == [
        f"POST {LOGS}/v1/workspaces/{WORKSPACE}/query",
        f"POST {LOGS}/v1{resource}/query",
    ]


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ((401, "TokenExpired"), "the login to Azure has expired"),
        ((403, "InsufficientAccessError"), "it takes the role Log Analytics Reader"),
        ((400, "BadArgumentError"), "the message of BadArgumentError"),
    ],
)
def test_a_workspace_that_refuses(person: Person, refusal: tuple[int, str], expected: str) -> None:
    person.azure.refusals[LOGS] = refusal
    with pytest.raises(AigatewayError, match=expected):
        find_log_lines(WORKSPACE, ["one"], 1)


def test_nobody_is_logged_in_to_read_logs(person: Person) -> None:
    person.patch.delenv("IDENTITY_ENDPOINT")
    with pytest.raises(AigatewayError, match="nobody is logged in to Azure here"):
        find_log_lines(WORKSPACE, ["one"], 1)
