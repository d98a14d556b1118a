"""What the rules find in a rendering, as violations, as an error, and the page about the rules."""

from __future__ import annotations

from dataclasses import dataclass

from aigateway.errors import RuleViolationError
from aigateway.rendering.renderer import Rendering
from aigateway.rules.catalogue import RULES
from aigateway.rules.subject import read_subject
from aigateway.settings.leaks import mask

_HEAD = """\
# Rules

<!-- Generated from aigateway/rules by `aigateway docs`; edit the rules there, not this file. -->

`aigateway lint` refuses a rendered config that says one of these things, and `aigateway render` writes nothing then.
Most of them neither LiteLLM nor Envoy would complain about.

LL: `litellm.yaml`. EN: `envoy.yaml`. GW: the gateway as a whole: images, secrets, the commands that start it.

| Id | What is refused | Why | Source |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Violation:
    """A rule's finding: where it is, what to write instead, and why."""

    rule: str
    file: str
    key: str
    message: str
    reason: str
    source: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.message} ({self.rule}: {self.reason}; {self.source})"


def find_violations(rendering: Rendering) -> tuple[Violation, ...]:
    """Everything in a rendering that a rule refuses, in the order of the rules.

    Raises RenderError where a file is not a mapping in YAML.
    """
    subject = read_subject(rendering)
    # The one place where what is said is made fit to be printed: rules may quote what they refuse.
    return tuple(
        Violation(rule.id, found.file, mask(found.key), mask(found.message), rule.reason, rule.source)
        for rule in RULES
        for found in rule.check(subject)
    )


def require_clean(rendering: Rendering) -> None:
    """Raises RuleViolationError, with a line for each violation, when a rule refuses the rendering."""
    violations = find_violations(rendering)
    if violations:
        raise RuleViolationError("\n".join(map(str, violations)))


def render_rules_reference() -> str:
    """The whole text of docs/rules.md."""
    rows = ((rule.id, rule.title, rule.reason, rule.source) for rule in RULES)
    return _HEAD + "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows
    )
