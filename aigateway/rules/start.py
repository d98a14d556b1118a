"""Rules on the scripts that start both parts: what no config can say, and what they must check."""

from __future__ import annotations

from collections.abc import Iterator

from aigateway.rendering.renderer import ENVOY, LITELLM
from aigateway.rules.rule import Complaint, Finding, rule
from aigateway.rules.subject import PartName, Script, Subject

_PARTS: dict[str, PartName] = {LITELLM: "litellm", ENVOY: "envoy"}
_LARGEST_VARIABLE = 128 * 1024
_CHECKED_KEYS = ("LITELLM_SALT_KEY", "LITELLM_MASTER_KEY", "AZURE_OPENAI_KEY")


@rule(
    "GW020",
    "a log level of LiteLLM's that leaks prompts",
    reason="Azure repeats prompts in its errors, and LiteLLM logs those at every level but CRITICAL; "
    "turn_off_message_logging does not stop it",
    source="measured with LiteLLM 1.106.2 (40 scenarios); its _logging.py:653",
).on_script("litellm")
def litellm_log_level(script: Script) -> Iterator[Complaint]:
    """LITELLM_LOG is CRITICAL, and no option undoes it."""
    levels = script.assigns("LITELLM_LOG")
    if not script.exports("LITELLM_LOG") or set(levels) != {"CRITICAL"}:
        yield "LITELLM_LOG", "must be exported as CRITICAL, and nothing else"
    if script.has(r"(?<!\S)--(detailed_debug|debug)\b"):
        yield "--debug", "logs bodies; remove it"
    for variable in ("DETAILED_DEBUG", "DEBUG", "LITELLM_DISABLE_REDACT_SECRETS"):
        if script.assigns(variable):
            yield variable, "is set; remove it: it logs bodies or keys"
    if not script.has(r"(?<!\S)--log_config\b"):
        yield "--log_config", "is missing; without it uvicorn logs paths with their queries"


@rule(
    "GW021",
    "a log level of Envoy's that leaks keys",
    reason="at debug and trace Envoy logs every header, the keys among them",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/operations/cli#cmdoption-l",
).on_script("envoy")
def envoy_log_level(script: Script) -> Iterator[Complaint]:
    """Not debug, nor trace, for the whole or a component."""
    if not script.has(r"(?<!\S)--log-level[ =](critical|error|warning|warn|info)\b"):
        yield "--log-level", "must be critical, error, warning or info"
    if script.has(r"(?<!\S)(--component-log-level|-l)\b"):
        yield "--component-log-level", "must not be there"


@rule(
    "GW022",
    "keys that the start command does not ask for",
    reason="without LITELLM_SALT_KEY response ids are sealed with the master key, and a rotated one loses every stored "
    "response; an empty or short key would be taken as it is",
    source="LiteLLM 1.106.2: proxy/hooks/responses_id_security.py:65; docs.litellm.ai/docs/proxy/prod",
).on_script("litellm")
def checked_keys(script: Script) -> Iterator[Complaint]:
    """Each key is checked before LiteLLM starts, and none is made up."""
    for variable in _CHECKED_KEYS:
        if not script.has(rf"^\s*check_key {variable} "):
            yield variable, f'must be checked: check_key {variable} "${{{variable}-}}"'
        if script.assigns(variable):
            yield variable, "is given a value; it must come from the environment alone"


@rule(
    "GW023",
    "a LiteLLM that others than the edge can reach",
    reason="whoever reaches it directly passes by keys, limits and routes: LiteLLM answers 51 routes without a key",
    source="measured with LiteLLM 1.106.2; docs.litellm.ai/docs/proxy/cli (--host is 0.0.0.0 by default)",
).on_script("litellm")
def local_address(script: Script) -> Iterator[Complaint]:
    """It listens on the loopback only."""
    if not script.has(r"(?<!\S)--host[ =]127\.0\.0\.1(?!\S)"):
        yield "--host", "must be 127.0.0.1"


@rule(
    "GW024",
    "a key that reaches Envoy's config unchecked",
    reason="a key with quotes or line ends could add anything to the config, and a short one can be guessed",
    source="infra/modules/aigateway_aca/start/envoy.sh; yaml.org/spec/1.2.2",
).on_script("envoy")
def checked_values(script: Script) -> Iterator[Complaint]:
    """Each value's form is checked before it is put in."""
    if not script.has(r'^\s*check_value "\$name" "\$value"'):
        yield "check_value", 'must be called for each placeholder: check_value "$name" "$value"'


@rule(
    "GW025",
    "an admin interface of Envoy's that others reach, or that shows keys",
    reason="it ends Envoy for whoever asks, and its config dump shows every client's key",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/operations/admin",
).on_script("envoy")
def private_admin(script: Script) -> Iterator[Complaint]:
    """On a port of the loopback, and only what stopping takes."""
    if not script.has(r"^  address: \{socket_address: \{address: 127\.0\.0\.1, port_value: 0\}\}$"):
        yield "admin.address", "must be a free port of 127.0.0.1"
    paths = r"\{exact: /healthcheck/fail\}, \{exact: /drain_listeners\}, \{prefix: \"/stats\?filter=\"\}"
    if not script.has(rf"^  allow_paths: \[{paths}\]'$"):
        yield "admin.allow_paths", "must be what the script asks for, and nothing else"


@rule(
    "GW011",
    "a config that is too large to be handed over",
    reason="each part gets its config in an environment variable, and Linux starts no program with a longer one",
    source="man 2 execve, MAX_ARG_STRLEN: 32 pages, so 128 KiB",
).on_subject
def config_size(subject: Subject) -> Iterator[Finding]:
    """Name and config fit into one variable, with a byte for its end."""
    for name, part in _PARTS.items():
        size = len(f"{part.upper()}_CONFIG={subject.texts[name]}".encode()) + 1
        if size > _LARGEST_VARIABLE:
            yield Finding(
                subject.files[name],
                "(the whole file)",
                f"takes {size} bytes of an environment variable, which holds {_LARGEST_VARIABLE}; have fewer clients",
            )
