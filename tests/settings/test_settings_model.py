"""What the typed settings work out, and that nothing in them is without a limit, a meaning and a unit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aigateway.settings.model import Settings
from aigateway.settings.values import ENDPOINTS


def make(**changes: Any) -> Settings:
    return Settings.model_validate({"environment": "dev", "clients": [{"name": "roo"}], **changes})


def test_deployment_and_base_model_follow_the_model_until_they_are_given() -> None:
    followed = make(azure={"responses": {"model": "gpt-5.1-codex"}}).azure.responses
    assert (followed.deployment, followed.base_model) == ("gpt-5.1-codex", "azure/gpt-5.1-codex")
    given_ = make(
        azure={"responses": {"model": "coder", "deployment": "codex-2", "base_model": "azure/gpt-5.3-codex"}}
    ).azure.responses
    assert (given_.model, given_.deployment, given_.base_model) == ("coder", "codex-2", "azure/gpt-5.3-codex")


@pytest.mark.parametrize(
    ("embeddings", "dimensions"),
    [
        ({}, 3072),
        ({"model": "text-embedding-3-small"}, 1536),
        ({"model": "text-embedding-ada-002"}, 1536),
        ({"model": "code-index", "base_model": "azure/text-embedding-3-small"}, 1536),
        ({"model": "text-embedding-3-large", "dimensions": 256}, 256),
        ({"model": "other", "dimensions": 4096}, 4096),
    ],
)
def test_dimensions_follow_the_model(embeddings: dict[str, Any], dimensions: int) -> None:
    assert make(azure={"embeddings": embeddings}).azure.embeddings.dimensions == dimensions


@pytest.mark.parametrize(
    "embeddings",
    [
        {"model": "text-embedding-3-small", "dimensions": 1537},
        {"model": "text-embedding-ada-002", "dimensions": 512},
        {"model": "code-index", "base_model": "azure/text-embedding-3-small", "dimensions": 3072},
        {"dimensions": 0},
    ],
)
def test_dimensions_that_the_model_does_not_give_are_refused(embeddings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make(azure={"embeddings": embeddings})


def test_the_locations_code_follows_its_name() -> None:
    assert make().location.code == "san"
    assert make(location={"name": "westeurope"}).location.code == "weu"


@pytest.mark.parametrize(
    "version", ["2025-03-01-preview", "2025-04-01-preview", "2026-01-01", "v1", "preview", "latest"]
)
def test_api_versions_with_responses(version: str) -> None:
    assert make(azure={"responses": {"api_version": version}}).azure.responses.api_version == version


@pytest.mark.parametrize(
    "version", ["2025-02-28", "2025-13-01", "20250401", "2025-W14-2", "2025-04-01-beta", "V1", "", "2025-4-1"]
)
def test_what_is_no_api_version_with_responses(version: str) -> None:
    with pytest.raises(ValidationError):
        make(azure={"responses": {"api_version": version}})


def test_an_images_reference_has_its_digest_once_it_is_pinned() -> None:
    digest = f"sha256:{'0a' * 32}"
    images = make(images={"envoy": {"repository": "mirror.example:5000/envoy", "digest": digest}}).images
    assert images.litellm.reference == f"ghcr.io/berriai/litellm:{images.litellm.tag}"
    assert images.envoy.reference == f"mirror.example:5000/envoy:v1.40.0@{digest}"


def test_a_client_has_a_variable_and_a_secret_for_each_key_slot() -> None:
    (client,) = make(clients=[{"name": "team-x", "keys": ["a", "b"]}]).clients
    assert client.key_variables == ("CLIENT_KEY_TEAM_X_A", "CLIENT_KEY_TEAM_X_B")
    assert client.secret_names == ("client-team-x-a", "client-team-x-b")


slugs = st.from_regex(r"[a-z][a-z0-9]{0,3}(-[a-z0-9]{1,3}){0,3}", fullmatch=True)


@given(st.lists(slugs, min_size=1, max_size=8, unique=True))
def test_no_two_keys_share_a_variable_or_a_secret(names: list[str]) -> None:
    clients = make(clients=[{"name": name, "keys": ["a", "b"]} for name in names]).clients
    assert len({variable for client in clients for variable in client.key_variables}) == 2 * len(names)
    assert len({secret for client in clients for secret in client.secret_names}) == 2 * len(names)


def test_a_client_has_its_own_limit_or_its_share() -> None:
    settings = make(
        clients=[
            {"name": "roo"},
            {"name": "bot", "limits": {"responses": {"requests_per_minute": 9, "burst": 2}}},
        ],
        limits={"responses": {"requests_per_minute": 100, "burst": 10}, "client_share": 0.29},
    )
    roo, bot = settings.clients
    assert settings.client_limit(roo, "responses").requests_per_minute == 29
    assert settings.client_limit(roo, "responses").burst == 2
    assert settings.client_limit(bot, "responses").requests_per_minute == 9
    assert settings.client_limit(bot, "embeddings") == settings.client_limit(roo, "embeddings")


@given(
    replicas=st.integers(1, 12),
    rate=st.integers(1, 200),
    burst=st.integers(1, 200),
    parallel=st.integers(1, 40),
    share=st.floats(0.01, 1),
)
def test_every_share_of_accepted_limits_is_a_limit(
    replicas: int, rate: int, burst: int, parallel: int, share: float
) -> None:
    limit = {"requests_per_minute": rate, "burst": burst, "parallel": parallel, "queue": 100}
    try:
        settings = make(
            scale={"max_replicas": replicas},
            limits={"responses": limit, "embeddings": limit, "client_share": share},
        )
    except ValidationError:
        return
    for endpoint in ENDPOINTS:
        whole = settings.endpoint_limit(endpoint)
        for declared in (whole, settings.client_limit(settings.clients[0], endpoint)):
            part = declared.divide(replicas)
            assert 1 <= part.burst < part.requests_per_minute
            assert (
                part.requests_per_minute * replicas
                <= declared.requests_per_minute
                <= whole.requests_per_minute
            )
        assert 1 <= whole.divide(replicas).parallel * replicas <= parallel


@given(
    litellm=st.integers(1, 16),
    envoy=st.integers(1, 16),
    memory=st.integers(4, 32),
    sidecar=st.integers(1, 32),
)
def test_accepted_sizes_are_pairs_that_azure_has(litellm: int, envoy: int, memory: int, sidecar: int) -> None:
    pairs = {(quarter / 4, quarter / 2) for quarter in range(1, 17)}
    total = ((litellm + envoy) / 4, (memory + sidecar) / 4)
    scale = {
        "litellm": {"cpu": litellm / 4, "memory_gib": memory / 4},
        "envoy": {"cpu": envoy / 4, "memory_gib": sidecar / 4},
    }
    try:
        accepted = make(scale=scale, request_body_limit_mib=1).scale
    except ValidationError:
        assert total not in pairs
    else:
        assert (accepted.cpu, accepted.memory_gib) == total
        assert total in pairs


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        make().scale.max_replicas = 2  # type: ignore[misc]  # that it is refused is what is tested


def test_ranges_are_kept_as_they_stand() -> None:
    ranges = ["203.0.113.0/24", "198.51.100.7/32"]
    assert make(ingress={"allowed_ip_ranges": ranges}).ingress.allowed_ip_ranges == tuple(ranges)
    with pytest.raises(ValidationError):
        make(ingress={"allowed_ip_ranges": ["2001:db8::/32"]})
    with pytest.raises(ValidationError):
        make(ingress={"allowed_ip_ranges": ranges + ranges[:1]})


@pytest.mark.parametrize(("gib", "most"), [(0.5, 9), (1.0, 19)])
def test_a_body_must_fit_into_envoys_memory(gib: float, most: int) -> None:
    scale = {"litellm": {"cpu": 1, "memory_gib": 3 - gib}, "envoy": {"cpu": 0.5, "memory_gib": gib}}
    make(scale=scale, request_body_limit_mib=most)
    with pytest.raises(ValidationError, match=rf"is {most + 1}; must be at most {most}, or scale\.envoy"):
        make(scale=scale, request_body_limit_mib=most + 1)
