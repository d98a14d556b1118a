"""Rules on what must not stand in a committed file: keys, endpoints, and variables with dangerous names.

They read lines, not values: a comment is committed too. What they find is never shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from aigateway.rendering.renderer import ENVOY
from aigateway.rules.rule import Finding, rule
from aigateway.rules.subject import Subject
from aigateway.settings.leaks import mask
from aigateway.settings.problems import Key, write_key

_ENDPOINT = re.compile(r"[a-z0-9-]+\.(azure\.(com|us|cn)|azure-api\.net)\b", re.IGNORECASE)
_PASS_THROUGH = re.compile(r"\bAZURE_API_(KEY|BASE)\b")
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")

#: Where the start command fills in what: the end of a value's key.
_PORT = re.compile(r"\.socket_address\.port_value$")
_PLACES = {
    "EDGE_ADDRESS": re.compile(r"\.socket_address\.address$"),
    "EDGE_PORT": _PORT,
    "LITELLM_PORT": _PORT,
    "LITELLM_MASTER_KEY": re.compile(r"\.request_mutations\[\d+\]\.append\.header\.value$"),
}
_CLIENT_KEY = re.compile(r"CLIENT_KEY_[A-Z0-9_]+")
_CLIENT_KEY_PLACE = re.compile(r"\.credentials\[\d+\]\.key$")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Value:
    """A value in a file: the line that it begins on, from 1, its key, and its text."""

    line: int
    key: str
    text: str


def list_values(text: str) -> tuple[Value, ...]:
    """Every value of a YAML text."""
    node = yaml.compose(text, _Loader)
    return tuple(_walk(node, ())) if node else ()


def _walk(node: yaml.Node, key: Key) -> Iterator[Value]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _walk(value, (*key, str(name.value)))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*key, index))
    else:
        yield Value(node.start_mark.line + 1, write_key(key), str(node.value))


def _find_lines(subject: Subject, is_wrong: Callable[[str], bool], message: str) -> Iterator[Finding]:
    """A finding for each wrong value, or for its line where it is no value but a comment or a key."""
    for name, text in subject.texts.items():
        lines = [number for number, line in enumerate(text.splitlines(), start=1) if is_wrong(line)]
        values = list_values(text) if lines else ()
        for number in lines:
            begun = (value for value in values if value.line == number)
            keys = [value.key for value in begun if is_wrong(value.text) or is_wrong(value.key)]
            for key in keys or [f"line {number}"]:
                yield Finding(subject.files[name], key, message)


@rule(
    "GW006",
    "a plain secret",
    reason="the files are committed and handed around; a secret in one is everybody's, in the history for ever",
    source="the PRD, NFR2 and acceptance criterion 4",
).on_subject
def plain_secrets(subject: Subject) -> Iterator[Finding]:
    """Nothing that looks like a key, in any file, comments included."""
    return _find_lines(
        subject,
        lambda text: mask(text) != text,
        "looks like a secret; put it into the Key Vault and refer to its environment variable",
    )


@rule(
    "GW007",
    "a plain endpoint",
    reason="the same bytes run on the laptop and in Azure, each with its own endpoint, and it tells whom to attack",
    source="the PRD, FR6",
).on_subject
def plain_endpoints(subject: Subject) -> Iterator[Finding]:
    """No host of Azure's, in any file."""
    return _find_lines(
        subject,
        lambda text: bool(_ENDPOINT.search(text)),
        "is an address of Azure's; it must be os.environ/AZURE_OPENAI_ENDPOINT",
    )


@rule(
    "GW008",
    "environment variables that open LiteLLM's pass-through",
    reason="where AZURE_API_KEY and AZURE_API_BASE are set, LiteLLM relays /azure/* to any deployment of the resource",
    source="LiteLLM 1.106.2: proxy/pass_through_endpoints/llm_passthrough_endpoints.py:2377-2386",
).on_subject
def pass_through_variables(subject: Subject) -> Iterator[Finding]:
    """The names stand nowhere, and LiteLLM's start command refuses them and sets neither."""
    yield from _find_lines(
        subject,
        lambda text: bool(_PASS_THROUGH.search(text)),
        "names AZURE_API_KEY or AZURE_API_BASE; use AZURE_OPENAI_KEY and AZURE_OPENAI_ENDPOINT",
    )
    script = subject.scripts["litellm"]
    for variable in ("AZURE_API_KEY", "AZURE_API_BASE"):
        if script.assigns(variable) or script.exports(variable):
            yield Finding(script.file, variable, "is set; it must not be")
        if not script.has(rf"\[ -z [^\]]*\$\{{?{variable}\b[^\]]*\]\s*\|\|"):
            yield Finding(
                script.file,
                variable,
                f'must be refused where it is set: [ -z "${{{variable}-}}" ] || refuse …',
            )


@rule(
    "GW009",
    "a placeholder that is unknown, or stands where its value would be shown",
    reason="Envoy's start command fills in every one, in comments too; a key in another place is sent to a client, "
    "to a log or to LiteLLM",
    source="infra/modules/aigateway_aca/start/envoy.sh",
).on_subject
def placeholders(subject: Subject) -> Iterator[Finding]:
    """Each where it belongs."""
    text, file = subject.texts[ENVOY], subject.files[ENVOY]
    known: Counter[tuple[int, str]] = Counter()
    for value in list_values(text):
        for name in _PLACEHOLDER.findall(value.text):
            known[value.line, name] += 1
            place = _CLIENT_KEY_PLACE if _CLIENT_KEY.fullmatch(name) else _PLACES.get(name)
            if place is None:
                yield Finding(file, value.key, "has a placeholder that the start command cannot fill in")
            elif not place.search(value.key):
                yield Finding(file, value.key, f"has {name}, which must not stand there")
    for number, line in enumerate(text.splitlines(), start=1):
        for name, times in Counter(_PLACEHOLDER.findall(line)).items():
            if times > known[number, name]:
                yield Finding(file, f"line {number}", "has a placeholder in a comment or a key; remove it")
