"""Rules on what litellm.yaml says of its two deployments, of retries and time-outs, and on its shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from aigateway.rendering.renderer import LITELLM
from aigateway.rules.litellm_config import Deployment, LiteLLMConfig
from aigateway.rules.refusals import is_refused
from aigateway.rules.rule import Complaint, Finding, rule
from aigateway.rules.subject import Subject
from aigateway.settings.model import Settings
from aigateway.settings.values import (
    FIRST_RESPONSES_VERSION,
    RESPONSES_VERSION_WORDS,
    Endpoint,
)

RESPONSES_PREFIX = "azure/responses/"
EMBEDDINGS_PREFIX = "azure/"

_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(-preview)?")
_ENFORCEMENT = "enforce_model_rate_limits"


@dataclass(frozen=True)
class Expected:
    """What the settings ask of one deployment. Its id is the endpoint's name, for ever: clients keep it."""

    endpoint: Endpoint
    model_name: str
    model: str
    mode: str


def _expect(settings: Settings) -> tuple[Expected, Expected]:
    responses, embeddings = settings.azure.responses, settings.azure.embeddings
    return (
        Expected("responses", responses.model, RESPONSES_PREFIX + responses.deployment, "responses"),
        Expected("embeddings", embeddings.model, EMBEDDINGS_PREFIX + embeddings.deployment, "embedding"),
    )


def _pair(config: LiteLLMConfig, settings: Settings) -> Iterator[tuple[str, Deployment, Expected]]:
    """Each deployment that the settings know, with its place and with what they ask of it."""
    expected = {each.model_name: each for each in _expect(settings)}
    for index, deployment in enumerate(config.model_list):
        if deployment.model_name in expected:
            yield f"model_list[{index}]", deployment, expected[deployment.model_name]


@rule(
    "LL001",
    "a key that the gateway does not use",
    reason="LiteLLM takes unknown keys at every level without a word, so a misspelt setting does nothing",
    source="measured with LiteLLM 1.106.2 (--validate_config says OK); its proxy/_types.py, ConfigYAML",
).on_subject
def unknown_keys(subject: Subject) -> Iterator[Finding]:
    """Unknown keys, at any level; a refused one is another rule's."""
    for misfit in subject.litellm.misfits:
        if misfit.unknown and not is_refused(misfit.key):
            yield Finding(
                subject.files[LITELLM],
                misfit.path,
                f"is unknown{misfit.message}; correct it or remove it",
            )


@rule(
    "LL002",
    "a value of the wrong type, or a missing one",
    reason="LiteLLM drops a deployment that it cannot read (`rpm: abc`, a date for a version) and starts without it",
    source="measured with LiteLLM 1.106.2; its proxy/proxy_server.py:7258, ignore_invalid_deployments",
).on_subject
def wrong_types(subject: Subject) -> Iterator[Finding]:
    """Values that LiteLLM would not take as they are meant."""
    for misfit in subject.litellm.misfits:
        if not misfit.unknown:
            yield Finding(subject.files[LITELLM], misfit.path, misfit.message)


@rule(
    "LL003",
    "deployments other than the two of the settings, or one of them twice",
    reason="a model that is missing is a 400 to every client; one too many is served to everybody, past the settings",
    source="the PRD, FR2; docs.litellm.ai/docs/routing (a name that stands twice is balanced between both)",
).on_litellm
def deployments_of_settings(config: LiteLLMConfig, settings: Settings) -> Iterator[Complaint]:
    """Exactly the two deployments, each once."""
    names = [deployment.model_name for deployment in config.model_list]
    expected = {each.model_name: each for each in _expect(settings)}
    for name in expected:
        if names.count(name) != 1:
            yield "model_list", f"has '{name}' {names.count(name)} times; must have it once"
    for index, deployment in enumerate(config.model_list):
        if deployment.model_name not in expected:
            yield (
                f"model_list[{index}].model_name",
                f"is '{deployment.model_name}', which the settings do not name; remove it",
            )


@rule(
    "LL004",
    "a deployment without the fixed id that response ids hold",
    reason="LiteLLM seals model_info.id into every response id that it gives out; with another one, or one that it "
    "makes up from the parameters, stored responses are lost with the next restart or change",
    source="measured with LiteLLM 1.106.2; its router.py:9162, generate_model_id",
).on_litellm
def fixed_ids(config: LiteLLMConfig, settings: Settings) -> Iterator[Complaint]:
    """Each deployment has the id that it always had."""
    for place, deployment, expected in _pair(config, settings):
        if deployment.model_info.id != expected.endpoint:
            yield f"{place}.model_info.id", f"must be '{expected.endpoint}', as in every release"


@rule(
    "LL005",
    "a wrong pair of model prefix, mode and api-version",
    reason="Azure serves this model through the Responses API only, from 2025-03-01-preview on; LiteLLM chooses the "
    "path by the prefix, the mode and the form of the version, and a wrong pair is a 404 or 400 OperationNotSupported",
    source="measured with LiteLLM 1.106.2; its llms/azure/responses/transformation.py, "
    "learn.microsoft.com/azure/ai-services/openai/api-version-lifecycle",
).on_litellm
def paths_and_versions(config: LiteLLMConfig, settings: Settings) -> Iterator[Complaint]:
    """Prefix, mode and version agree, and are those of the settings' deployment."""
    for place, deployment, expected in _pair(config, settings):
        if deployment.litellm_params.model != expected.model:
            yield (
                f"{place}.litellm_params.model",
                f"is '{deployment.litellm_params.model}'; must be '{expected.model}'",
            )
        if deployment.model_info.mode != expected.mode:
            yield f"{place}.model_info.mode", f"must be '{expected.mode}'"
        wrong = _judge_version(deployment.litellm_params.api_version, expected.endpoint)
        if wrong:
            yield f"{place}.litellm_params.api_version", wrong


def _judge_version(version: str | None, endpoint: Endpoint) -> str:
    """What is wrong with a version, or nothing."""
    if version is None:
        return "is missing; without one LiteLLM chooses the path and the version by itself"
    is_word = version in RESPONSES_VERSION_WORDS
    if is_word:
        return (
            "" if endpoint == "responses" else "is a word; must be a version with a date, such as 2024-10-21"
        )
    matched = _VERSION.fullmatch(version)
    try:
        day = date.fromisoformat(matched[1]) if matched else None
    except ValueError:
        day = None
    if day is None:
        return "is no version of Azure's; must be like 2024-10-21 or 2025-04-01-preview"
    if endpoint == "responses" and day < FIRST_RESPONSES_VERSION:
        return f"is before {FIRST_RESPONSES_VERSION}-preview, the first with a Responses API"
    return ""


@rule(
    "LL006",
    "a deployment without base_model",
    reason="LiteLLM does not know a deployment's model by its name, and logs an error for each request",
    source="measured with LiteLLM 1.106.2; docs.litellm.ai/docs/proxy/cost_tracking",
).on_litellm
def base_models(config: LiteLLMConfig, settings: Settings) -> Iterator[Complaint]:
    """Each deployment says which model it is."""
    for place, deployment, expected in _pair(config, settings):
        if not deployment.model_info.base_model:
            yield (
                f"{place}.model_info.base_model",
                f"is missing; write the model's name in LiteLLM's map, such as azure/{expected.model_name}",
            )


@rule(
    "LL007",
    "rpm or tpm without the check that enforces them",
    reason="LiteLLM reads rpm and tpm only to choose between deployments; alone they let everything through",
    source="measured with LiteLLM 1.106.2; its router_utils/pre_call_checks/model_rate_limit_check.py:1",
).on_litellm
def enforced_rates(config: LiteLLMConfig, _settings: Settings) -> Iterator[Complaint]:
    """A rate that is declared is enforced."""
    if _ENFORCEMENT in config.router_settings.optional_pre_call_checks:
        return
    for index, deployment in enumerate(config.model_list):
        for name in ("rpm", "tpm"):
            if getattr(deployment.litellm_params, name) is not None:
                yield (
                    f"model_list[{index}].litellm_params.{name}",
                    f"limits nothing; remove it: the edge limits (or enforce it: {_ENFORCEMENT})",
                )


@rule(
    "LL008",
    "retries by LiteLLM",
    reason="Envoy retries, by exact status; LiteLLM's attempts would multiply with its, cannot tell Azure's 500 from "
    "its 403, and sleep after the last failure. Unset, both the router and the SDK below it retry twice",
    source="measured with LiteLLM 1.106.2; its router.py:1228-1232, constants.py:99",
).on_litellm
def no_retries(config: LiteLLMConfig, _settings: Settings) -> Iterator[Complaint]:
    """LiteLLM tries once."""
    router = config.router_settings
    if router.num_retries != 0:
        yield "router_settings.num_retries", "must be 0; unset, it is 2"
    if config.litellm_settings.num_retries:
        yield "litellm_settings.num_retries", "must be 0 or not there"
    for name in ("retry_policy", "model_group_retry_policy"):
        if getattr(router, name):
            yield f"router_settings.{name}", "must not be there: the retries are the edge's"
    for index, deployment in enumerate(config.model_list):
        place = f"model_list[{index}].litellm_params"
        if deployment.litellm_params.max_retries != 0:
            yield f"{place}.max_retries", "must be 0; unset, it is 2"
        if deployment.litellm_params.num_retries:
            yield f"{place}.num_retries", "must be 0 or not there"


@rule(
    "LL009",
    "cool-downs",
    reason="there is one deployment for each model; a single 401 or 404 takes it away for 5 s, and everybody gets 429 "
    "'No deployments available'",
    source="measured with LiteLLM 1.106.2; its router_utils/cooldown_handlers.py",
).on_litellm
def no_cooldowns(config: LiteLLMConfig, _settings: Settings) -> Iterator[Complaint]:
    """A failure of one request is not the next one's."""
    if config.router_settings.disable_cooldowns is not True:
        yield "router_settings.disable_cooldowns", "must be true"


@rule(
    "LL016",
    "parameters that Azure refuses are not dropped",
    reason="clients that speak chat completions send `temperature: 0`, which LiteLLM answers with 400 for this model",
    source="measured with LiteLLM 1.106.2; docs.litellm.ai/docs/completion/drop_params",
).on_litellm
def dropped_parameters(config: LiteLLMConfig, _settings: Settings) -> Iterator[Complaint]:
    """drop_params is on, and no deployment turns it off."""
    if config.litellm_settings.drop_params is not True:
        yield "litellm_settings.drop_params", "must be true"
    for index, deployment in enumerate(config.model_list):
        if deployment.litellm_params.drop_params is False:
            yield f"model_list[{index}].litellm_params.drop_params", "must be true or not there"


@rule(
    "LL017",
    "a deployment without a time-out of its own",
    reason="LiteLLM's default is 6000 s, for which a request would hold one of the edge's places",
    source="LiteLLM 1.106.2: __init__.py:587, DEFAULT_REQUEST_TIMEOUT_SECONDS",
).on_litellm
def timeouts(config: LiteLLMConfig, settings: Settings) -> Iterator[Complaint]:
    """Each deployment waits as long as the settings say, also inside a stream."""
    seconds = {
        "responses": settings.timeouts.responses_seconds,
        "embeddings": settings.timeouts.embeddings_seconds,
    }
    for place, deployment, expected in _pair(config, settings):
        allowed = seconds[expected.endpoint]
        timeout = deployment.litellm_params.timeout
        if timeout is None or not 0 < timeout <= allowed:
            yield (
                f"{place}.litellm_params.timeout",
                f"must be above 0 and at most {allowed}, the settings' own",
            )
        silence = settings.timeouts.stream_idle_seconds
        if expected.endpoint == "responses" and deployment.litellm_params.stream_timeout != silence:
            yield f"{place}.litellm_params.stream_timeout", f"must be {silence}, the settings' own"


@rule(
    "LL018",
    "a key or endpoint other than from its environment variable",
    reason="the same bytes run everywhere and are committed; the start command checks these variables and no others, "
    "and an unset one passes LiteLLM without a word",
    source="the PRD, FR4 and NFR2; docs.litellm.ai/docs/proxy/configs (os.environ/)",
).on_litellm
def references(config: LiteLLMConfig, _settings: Settings) -> Iterator[Complaint]:
    """Keys and endpoint are the references that the start command checks; what stands there is not shown."""
    if config.general_settings.master_key != "os.environ/LITELLM_MASTER_KEY":
        yield "general_settings.master_key", "must be os.environ/LITELLM_MASTER_KEY"
    for index, deployment in enumerate(config.model_list):
        place = f"model_list[{index}].litellm_params"
        if deployment.litellm_params.api_key != "os.environ/AZURE_OPENAI_KEY":
            yield f"{place}.api_key", "must be os.environ/AZURE_OPENAI_KEY"
        if deployment.litellm_params.api_base != "os.environ/AZURE_OPENAI_ENDPOINT":
            yield f"{place}.api_base", "must be os.environ/AZURE_OPENAI_ENDPOINT"


@rule(
    "LL019",
    "message logging that is not off, or a callback that gets messages",
    reason="prompts are source code; callbacks get whole requests and answers unless they are redacted",
    source="the PRD, NFR2; LiteLLM 1.106.2: litellm_core_utils/redact_messages.py:352",
).on_litellm
def message_logging(config: LiteLLMConfig, _settings: Settings) -> Iterator[Complaint]:
    """Messages are redacted, and only counters leave the process."""
    if config.litellm_settings.turn_off_message_logging is not True:
        yield "litellm_settings.turn_off_message_logging", "must be true"
    for index, name in enumerate(config.litellm_settings.callbacks):
        if name != "prometheus":
            yield (
                f"litellm_settings.callbacks[{index}]",
                f"is '{name}'; only prometheus, which counts, is allowed",
            )


@rule(
    "LL021",
    "a deployment with a price",
    reason="LiteLLM adds what it thinks that an answer cost to the usage in a stream, where OpenAI's API has no such "
    "field and clients have no business",
    source="measured with LiteLLM 1.106.2; its responses/streaming_iterator.py, stamp_responses_usage_cost",
).on_litellm
def prices(config: LiteLLMConfig, _settings: Settings) -> Iterator[Complaint]:
    """Every price is 0, which LiteLLM does not show."""
    for index, deployment in enumerate(config.model_list):
        for name in ("input_cost_per_token", "output_cost_per_token"):
            if getattr(deployment.litellm_params, name) != 0:
                yield f"model_list[{index}].litellm_params.{name}", "must be 0"


@rule(
    "LL020",
    "a request to Azure that outlives its client",
    reason="LiteLLM waits to the end for an answer whose client left before its first byte: Azure's tokens and quota "
    "are spent on nobody, past the edge's limit on parallel requests",
    source="measured with LiteLLM 1.106.2; its proxy/_types.py:2987, cancel_on_disconnect (off by default)",
).on_litellm
def cancelled_requests(config: LiteLLMConfig, _settings: Settings) -> Iterator[Complaint]:
    """A client that leaves takes its request with it."""
    if config.general_settings.cancel_on_disconnect is not True:
        yield "general_settings.cancel_on_disconnect", "must be true"
