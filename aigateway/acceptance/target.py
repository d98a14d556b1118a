"""The gateway that a run is about: one that this run starts, or one that is deployed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from aigateway.acceptance.redaction import Redactor
from aigateway.acceptance.results import TargetName
from aigateway.deployed.deployment import Deployment
from aigateway.launching.stack import StackReference
from aigateway.settings.loading import load_environment
from aigateway.settings.model import Settings


@dataclass(frozen=True)
class Target:
    """Where the gateway is, what it should follow, a client's key; the stack when it is local.

    `workspace` is that of Log Analytics which a deployed gateway's logs go to, where it is known.
    """

    name: TargetName
    root: Path
    base_url: str
    settings: Settings
    key: str = field(repr=False)
    stack: StackReference | None
    workspace: str = ""

    def redact(self, text: str) -> str:
        """`text` without any secret of this gateway's."""
        return self._redactor.redact(text)

    @cached_property
    def _redactor(self) -> Redactor:
        return Redactor.of_stack(self.stack) if self.stack else Redactor(frozenset({self.key}))


def find_local(stack: StackReference) -> Target:
    """The gateway of a stack on this machine."""
    settings = load_environment(stack.root, stack.environment)
    return Target("local", stack.root, stack.base_url, settings, stack.keys.of(settings.clients[0]), stack)


def find_deployed(deployment: Deployment) -> Target:
    """A gateway that runs already."""
    settings = load_environment(deployment.root, deployment.environment)
    return Target(
        "deployed",
        deployment.root,
        deployment.base_url,
        settings,
        deployment.key,
        None,
        deployment.workspace,
    )
