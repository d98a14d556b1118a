"""The part of LiteLLM's config that the gateway uses or can sensibly use, with LiteLLM's own names.

LiteLLM's own model (`litellm.proxy._types.ConfigYAML`) takes every key, known or not. A key that is added here needs
a thought about what it opens, and a rule if it opens something.
"""

from __future__ import annotations

from aigateway.rules.shape import Items, Part


class DeploymentParameters(Part):
    """`litellm_params`: how LiteLLM calls one deployment."""

    model: str
    api_base: str | None = None
    api_key: str | None = None
    api_version: str | None = None
    timeout: float | None = None
    stream_timeout: float | None = None
    max_retries: int | None = None
    num_retries: int | None = None
    drop_params: bool | None = None
    additional_drop_params: Items[str] = ()
    dimensions: int | None = None
    input_cost_per_token: float | None = None
    output_cost_per_token: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    max_parallel_requests: int | None = None


class DeploymentInformation(Part):
    """`model_info`: what LiteLLM is told about a deployment."""

    id: str | None = None
    mode: str | None = None
    base_model: str | None = None


class Deployment(Part):
    """An entry of `model_list`."""

    model_name: str
    litellm_params: DeploymentParameters
    model_info: DeploymentInformation = DeploymentInformation()


class LibrarySettings(Part):
    """`litellm_settings`: attributes of LiteLLM's module."""

    drop_params: bool | None = None
    num_retries: int | None = None
    request_timeout: float | None = None
    turn_off_message_logging: bool | None = None
    callbacks: Items[str] = ()


class RouterSettings(Part):
    """`router_settings`: arguments of LiteLLM's router."""

    num_retries: int | None = None
    retry_policy: dict[str, int] | None = None
    model_group_retry_policy: dict[str, dict[str, int]] | None = None
    disable_cooldowns: bool | None = None
    optional_pre_call_checks: Items[str] = ()


class GeneralSettings(Part):
    """`general_settings`: of LiteLLM's proxy."""

    master_key: str | None = None
    cancel_on_disconnect: bool = False
    max_in_flight_requests_per_worker: int | None = None
    max_queued_requests_per_worker: int | None = None
    admission_queue_timeout_seconds: float | None = None


class LiteLLMConfig(Part):
    """A whole litellm.yaml."""

    model_list: Items[Deployment]
    litellm_settings: LibrarySettings = LibrarySettings()
    router_settings: RouterSettings = RouterSettings()
    general_settings: GeneralSettings = GeneralSettings()
