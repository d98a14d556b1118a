"""What a rule is, and the decorators that make a function into one.

A function looks at one thing and yields what is wrong with it, and what to write instead; the decorator adds id,
reason and source, and the file. It is not asked about a file whose shape is wrong: that is another rule's finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from aigateway.rendering.renderer import ENVOY, LITELLM, TFVARS
from aigateway.rules.envoy_config import EnvoyConfig
from aigateway.rules.litellm_config import LiteLLMConfig
from aigateway.rules.subject import PartName, Script, Subject, TerraformVariables
from aigateway.settings.model import Settings

Config = TypeVar("Config")

#: A key as a person writes it, and what is wrong with it.
Complaint = tuple[str, str]


@dataclass(frozen=True)
class Finding:
    """Something that a rule refuses."""

    file: str
    key: str
    message: str


@dataclass(frozen=True)
class Rule:
    """Something that a rendered config must not say: `title` names it, `reason` says what would happen."""

    id: str
    title: str
    reason: str
    source: str
    check: Callable[[Subject], Iterable[Finding]] = field(repr=False)


@dataclass(frozen=True)
class Heading:
    """What is known of a rule before its function."""

    id: str
    title: str
    reason: str
    source: str

    def on_subject(self, check: Callable[[Subject], Iterable[Finding]]) -> Rule:
        """A rule about several files."""
        return Rule(self.id, self.title, self.reason, self.source, check)

    def on_litellm(self, check: Callable[[LiteLLMConfig, Settings], Iterable[Complaint]]) -> Rule:
        """A rule about litellm.yaml."""
        return self._on_config(LITELLM, lambda subject: subject.litellm.config, check)

    def on_envoy(self, check: Callable[[EnvoyConfig, Settings], Iterable[Complaint]]) -> Rule:
        """A rule about envoy.yaml."""
        return self._on_config(ENVOY, lambda subject: subject.envoy.config, check)

    def on_terraform(self, check: Callable[[TerraformVariables, Settings], Iterable[Complaint]]) -> Rule:
        """A rule about terraform.tfvars.json."""
        return self._on_config(TFVARS, lambda subject: subject.terraform.config, check)

    def on_script(self, part: PartName) -> Callable[[Callable[[Script], Iterable[Complaint]]], Rule]:
        """A rule about the script that starts a part."""

        def make(check: Callable[[Script], Iterable[Complaint]]) -> Rule:
            def find(subject: Subject) -> Iterator[Finding]:
                script = subject.scripts[part]
                for key, message in check(script):
                    yield Finding(script.file, key, message)

            return self.on_subject(find)

        return make

    def _on_config(
        self,
        name: str,
        choose: Callable[[Subject], Config | None],
        check: Callable[[Config, Settings], Iterable[Complaint]],
    ) -> Rule:
        def find(subject: Subject) -> Iterator[Finding]:
            config = choose(subject)
            if config is not None:
                for key, message in check(config, subject.settings):
                    yield Finding(subject.files[name], key, message)

        return self.on_subject(find)


def rule(rule_id: str, title: str, *, reason: str, source: str) -> Heading:
    """Begin a rule; `.on_…` on its result decorates the function that checks it."""
    return Heading(rule_id, title, reason, source)
