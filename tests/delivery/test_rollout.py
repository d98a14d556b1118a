"""An apply gives away nothing that was not asked for, and a rollback goes to where it was, or says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from aigateway import commands
from aigateway.delivery import planning, rollout
from aigateway.delivery.planning import locate_plan, show_plan
from aigateway.delivery.rollout import apply_plan, roll_back
from aigateway.deployed import app
from aigateway.errors import AigatewayError
from aigateway.settings.loading import load_environment
from aigateway.settings.model import Settings

ROOT = Path(__file__).parents[2]
QUIET = Console(quiet=True)


@pytest.fixture
def dev() -> Settings:
    return load_environment(ROOT, "dev")


class Cloud:
    """Answers for az and terraform, and what they were asked; `apply` is what happens when that is done."""

    def __init__(self) -> None:
        self.ready: str | None = "app--1"
        self.latest: str | None = "app--1"
        self.secrets: tuple[str, ...] = ()
        self.environment = "dev"
        self.asked: list[tuple[str, ...]] = []
        self.given: dict[str, str] = {}
        self.apply: Callable[[], None] = lambda: None

    def run(self, command: commands.Command) -> str:
        self.asked.append(command.arguments)
        match command.arguments[:3]:
            case ("group", "exists", _):
                return "true\n"
            case ("containerapp", "list", _):
                return json.dumps([name for name in ["pvc-dev-aigateway-ca-san"] if self.latest])
            case ("containerapp", "show", _):
                return json.dumps({"latestRevisionName": self.latest, "latestReadyRevisionName": self.ready})
            case ("containerapp", "revision", "copy"):
                self.latest = self.ready = "app--3"
                return ""
            case ("cognitiveservices", "account", "show"):
                return '"https://azure.test"'
            case ("cognitiveservices", "account", "keys"):
                return '"a-key-of-azure"'
        raise AssertionError(command)

    def ask_terraform(self, _root: Path, _environment: str, *arguments: str) -> str:
        assert arguments[0] == "show"
        change = {"actions": ["create"], "before": None, "after": {}}
        secrets = [
            {"address": name, "type": "azurerm_key_vault_secret", "index": name, "change": change}
            for name in self.secrets
        ]
        return json.dumps(
            {"variables": {"environment": {"value": self.environment}}, "resource_changes": secrets}
        )

    def run_terraform(self, _root: Path, _environment: str, *arguments: str, **more: Any) -> int:
        if arguments[0] == "apply":
            self.given = json.loads(more["variables"]["TF_VAR_secrets"])
            self.apply()
        return 0


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud()
    for module in (commands, rollout, app):
        monkeypatch.setattr(module, "run", cloud.run)
    for module in (planning, rollout):
        monkeypatch.setattr(module, "run_terraform", cloud.run_terraform)
    monkeypatch.setattr(planning, "ask_terraform", cloud.ask_terraform)
    monkeypatch.delenv(commands.SUBSCRIPTION_VARIABLE, raising=False)
    monkeypatch.setattr(rollout, "_READY_SECONDS", 0.05)
    monkeypatch.setattr(rollout, "_READY_PAUSE_SECONDS", 0.01)
    for name in ("ENDPOINT", "KEY", "ACCOUNT", "GROUP", "KEY_NAME"):
        monkeypatch.delenv(f"AZURE_OPENAI_{name}", raising=False)
    return cloud


@pytest.fixture
def root(tmp_path: Path) -> Path:
    plan = locate_plan(tmp_path, "dev")
    plan.parent.mkdir(parents=True)
    plan.write_bytes(b"PK")
    return tmp_path


def apply(root: Path, dev: Settings) -> str:
    return apply_plan(root, dev, locate_plan(root, "dev"), QUIET)


def test_a_plan_that_writes_no_secret_needs_none(cloud: Cloud, root: Path, dev: Settings) -> None:
    assert apply(root, dev) == "app--1"
    assert cloud.given == {}


def test_keys_are_made_and_azures_are_asked_of_the_account(
    cloud: Cloud, root: Path, dev: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.secrets = ("azure-openai-endpoint", "azure-openai-key", "client-roo-a")
    monkeypatch.setenv("AZURE_OPENAI_ACCOUNT", "account")
    monkeypatch.setenv("AZURE_OPENAI_GROUP", "group")
    apply(root, dev)
    assert cloud.given["azure-openai-endpoint"] == "https://azure.test"
    assert cloud.given["azure-openai-key"] == "a-key-of-azure"
    assert cloud.given["client-roo-a"].startswith("sk-")


def test_the_other_key_is_asked_for_while_the_first_is_replaced(
    cloud: Cloud, root: Path, dev: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.secrets = ("azure-openai-key",)
    for name, value in {"ACCOUNT": "account", "GROUP": "group", "KEY_NAME": "key2"}.items():
        monkeypatch.setenv(f"AZURE_OPENAI_{name}", value)
    apply(root, dev)
    assert [words[-1] for words in cloud.asked if words[0] == "cognitiveservices"] == ["key2"]
    monkeypatch.setenv("AZURE_OPENAI_KEY_NAME", "key3")
    with pytest.raises(AigatewayError, match="AZURE_OPENAI_KEY_NAME is 'key3'; must be key1 or key2"):
        apply(root, dev)


def test_what_is_given_is_not_asked_for(
    cloud: Cloud, root: Path, dev: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.secrets = ("azure-openai-key",)
    for name in ("KEY", "ACCOUNT", "GROUP"):
        monkeypatch.setenv(f"AZURE_OPENAI_{name}", "mine")
    apply(root, dev)
    assert cloud.given == {"azure-openai-key": "mine"}
    assert not [words for words in cloud.asked if words[0] == "cognitiveservices"]


def test_a_key_of_azures_that_nobody_gives_ends_it_before_anything_changes(
    cloud: Cloud, root: Path, dev: Settings
) -> None:
    cloud.secrets = ("azure-openai-key",)
    cloud.apply = lambda: pytest.fail("it was applied")
    with pytest.raises(AigatewayError, match="AZURE_OPENAI_KEY"):
        apply(root, dev)


def test_a_revision_that_does_not_get_ready_is_said_with_what_serves(
    cloud: Cloud, root: Path, dev: Settings
) -> None:
    def fail_to_start() -> None:
        cloud.latest = "app--2"

    cloud.apply = fail_to_start
    with pytest.raises(
        AigatewayError, match=r"app--2 was not ready within .*; app--1 goes on serving.*logs show"
    ):
        apply(root, dev)


def test_it_goes_back_to_what_served_before(cloud: Cloud, root: Path, dev: Settings) -> None:
    def serve_another() -> None:
        cloud.latest = cloud.ready = "app--2"

    cloud.apply = serve_another
    apply(root, dev)
    assert roll_back(root, dev, QUIET) == "app--3"
    (copied,) = [words for words in cloud.asked if words[:3] == ("containerapp", "revision", "copy")]
    assert copied[-4:] == ("--from-revision", "app--1", "-o", "none")


def test_where_the_one_before_serves_nothing_is_done(cloud: Cloud, root: Path, dev: Settings) -> None:
    apply(root, dev)
    assert roll_back(root, dev, QUIET) == "app--1"
    assert not [words for words in cloud.asked if words[1] == "revision"]


def test_one_that_is_not_ready_yet_does_not_take_over_later(cloud: Cloud, root: Path, dev: Settings) -> None:
    def start_another() -> None:
        cloud.latest = "app--2"

    cloud.apply = start_another
    with pytest.raises(AigatewayError, match=r"app--2 was not ready"):
        apply(root, dev)
    assert roll_back(root, dev, QUIET) == "app--3"


def test_az_is_asked_in_terraforms_subscription_where_that_is_said(
    cloud: Cloud, root: Path, dev: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(commands.SUBSCRIPTION_VARIABLE, "the-subscription")
    monkeypatch.setenv("AZURE_OPENAI_ACCOUNT", "account")
    monkeypatch.setenv("AZURE_OPENAI_GROUP", "group")
    cloud.secrets = ("azure-openai-endpoint", "azure-openai-key")

    def serve_another() -> None:
        cloud.latest = cloud.ready = "app--2"

    cloud.apply = serve_another
    assert apply(root, dev) == "app--2"
    roll_back(root, dev, QUIET)
    for words in cloud.asked:
        assert words[words.index("--subscription") + 1] == "the-subscription", words


def test_there_is_nothing_before_the_first_one(cloud: Cloud, root: Path, dev: Settings) -> None:
    cloud.latest = cloud.ready = None

    def serve_first() -> None:
        cloud.latest = cloud.ready = "app--1"

    cloud.apply = serve_first
    apply(root, dev)
    with pytest.raises(AigatewayError, match="dev had no revision before this one"):
        roll_back(root, dev, QUIET)


def test_a_rollback_of_what_was_not_applied_here_is_refused(
    cloud: Cloud, tmp_path: Path, dev: Settings
) -> None:
    with pytest.raises(AigatewayError, match="`aigateway apply dev` takes down what served before it"):
        roll_back(tmp_path, dev, QUIET)
    assert cloud.asked == []


def test_a_plan_that_is_not_there_or_of_another_environment(cloud: Cloud, root: Path, dev: Settings) -> None:
    with pytest.raises(AigatewayError, match="run: aigateway plan dev"):
        show_plan(root, dev, root / "none.tfplan")
    cloud.environment = "prod"
    with pytest.raises(AigatewayError, match="is a plan of prod, and not of dev"):
        show_plan(root, dev, locate_plan(root, "dev"))
