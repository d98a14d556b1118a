"""What the rules must let pass: the real renderings, legal settings far from the defaults, and near-misses."""

from __future__ import annotations

from pathlib import Path

import pytest
from spoiling import ROOT, Mutation, Spoiler, add, both, drop, list_found, put, render_dev

from aigateway.errors import AigatewayError, RenderError, RuleViolationError
from aigateway.rendering.renderer import Rendering, render_environment, render_settings
from aigateway.rules import RULES, find_violations, render_rules_reference, require_clean
from aigateway.settings.model import Settings
from aigateway.settings.values import ENVIRONMENTS

PARAMETERS = "model_list/0/litellm_params"
LOG = "HCM/access_log/0/typed_config/log_format/json_format"


@pytest.fixture(scope="module")
def dev() -> Rendering:
    """The real rendering of dev."""
    return render_dev()


@pytest.fixture
def spoiler(dev: Rendering, tmp_path: Path) -> Spoiler:
    """Changes dev."""
    return Spoiler(dev, tmp_path)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_real_renderings_are_clean(environment: str) -> None:
    rendering = render_environment(ROOT, environment)
    assert find_violations(rendering) == ()
    require_clean(rendering)


UNUSUAL = {
    "no retries": {"retries": {"attempts": 1}},
    "uneven shares": {
        "scale": {"max_replicas": 7},
        "limits": {
            "responses": {"requests_per_minute": 1000, "burst": 99, "parallel": 23, "queue": 50},
            "client_share": 0.31,
        },
    },
    "own limits of a client": {
        "clients": [
            {
                "name": "ci-agents",
                "keys": ["b", "a"],
                "limits": {"embeddings": {"requests_per_minute": 30, "burst": 3}},
            }
        ]
    },
    "a word for a version": {"azure": {"responses": {"api_version": "v1"}}},
    "other models": {
        "azure": {
            "responses": {"model": "gpt-6", "deployment": "six", "base_model": "azure/gpt-6"},
            "embeddings": {"model": "text-embedding-3-small", "dimensions": 512},
        }
    },
    "digests": {
        "images": {
            "litellm": {"tag": "v1.106.2-stable.patch.1", "digest": f"sha256:{'a1' * 32}"},
            "envoy": {"repository": "registry.example:5000/mirror/envoy", "digest": f"sha256:{'b2' * 32}"},
        }
    },
    "other times and sizes": {
        "timeouts": {"responses_seconds": 30, "stream_idle_seconds": 30, "embeddings_seconds": 1},
        "retries": {"backoff_base_seconds": 0.001, "backoff_max_seconds": 0.25, "retry_after_max_seconds": 1},
        "request_body_limit_mib": 1,
    },
}


@pytest.mark.parametrize("change", UNUSUAL.values(), ids=UNUSUAL)
def test_whatever_the_settings_allow_is_rendered_clean(change: dict[str, object]) -> None:
    settings = Settings.model_validate({"environment": "dev", "clients": [{"name": "roo"}], **change})
    assert [str(violation) for violation in find_violations(render_settings(ROOT, settings))] == []


NEAR_MISSES: dict[str, tuple[str, Mutation]] = {
    "a flag that is off": ("litellm", put("general_settings/allow_requests_on_db_unavailable", False)),
    "no callbacks": ("litellm", put("litellm_settings/success_callback", [])),
    "a cache that is off": ("litellm", put("litellm_settings/cache", False)),
    "counters": ("litellm", put("litellm_settings/callbacks", ["prometheus"])),
    "a rate that is enforced": (
        "litellm",
        both(
            put(f"{PARAMETERS}/rpm", 60),
            put("router_settings/optional_pre_call_checks", ["enforce_model_rate_limits"]),
        ),
    ),
    "a limit that works": ("litellm", put(f"{PARAMETERS}/max_parallel_requests", 10)),
    "a queue": ("litellm", put("general_settings/max_in_flight_requests_per_worker", 10)),
    "a word for a version": ("litellm", put(f"{PARAMETERS}/api_version", "latest")),
    "the first version with responses": ("litellm", put(f"{PARAMETERS}/api_version", "2025-03-01-preview")),
    "a shorter time-out": ("litellm", put(f"{PARAMETERS}/timeout", 30.5)),
    "a shorter share": ("envoy", put("LIMIT/descriptors/0/token_bucket/tokens_per_fill", 499)),
    "a share in other numbers": (
        "envoy",
        put("LIMIT/filter_enforced/default_value", {"numerator": 10_000, "denominator": "TEN_THOUSAND"}),
    ),
    "fewer statuses": ("envoy", put("ROUTES/@responses/route/retry_policy/retriable_status_codes", [503])),
    "a shorter wait": (
        "envoy",
        put("ROUTES/@responses/route/retry_policy/retry_back_off/max_interval", "1s"),
    ),
    "the body's limit in fewer bytes": ("envoy", put("BUFFER/max_request_bytes", 1000)),
    "one more header removed": ("envoy", add("HEADERS/request_mutations", {"remove": "forwarded"})),
    "fewer methods": (
        "envoy",
        put("ROUTES/@stored-response/match/headers/0/string_match/safe_regex/regex", "GET"),
    ),
    "a method without a regex": (
        "envoy",
        put("ROUTES/@responses/match/headers/0/string_match", {"exact": "POST"}),
    ),
    "no upgrades at all": ("envoy", drop("HCM/upgrade_configs")),
    "a filter that is on": (
        "envoy",
        put("ROUTES/@health/typed_per_filter_config/envoy.filters.http.api_key_auth/disabled", False),
    ),
    "one more harmless field": ("envoy", put(f"{LOG}/cluster", "%UPSTREAM_CLUSTER% %PROTOCOL%")),
    "an expression about the answer": (
        "envoy",
        put(f"{LOG}/more", "%CEL('x-request-id' in response.headers)%"),
    ),
    "a note of an answer": (
        "envoy",
        put(f"{LOG}/more", "%DYNAMIC_METADATA(answer:asked)% %CEL('answer' in metadata.filter_metadata)%"),
    ),
    "a later LiteLLM": ("tfvars", put("images/litellm", "ghcr.io/berriai/litellm:v1.110.0")),
    "a LiteLLM at the floor": ("tfvars", put("images/litellm", "ghcr.io/berriai/litellm:v1.84.0-stable")),
    "a mirror with a port": ("tfvars", put("images/envoy", "mirror.example:5000/envoy:v1.40.1")),
    "a name with hyphens": ("tfvars", put("names/key_vault", "a-very-long-name-of-a-vault-in-south-africa")),
}


@pytest.mark.parametrize(("file", "mutation"), NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_a_near_miss_passes(file: str, mutation: Mutation, spoiler: Spoiler) -> None:
    assert list_found(spoiler.spoil(file, mutation)) == {}


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("litellm", "unset LITELLM_CONFIG", "# export AZURE_API_KEY=x\nunset LITELLM_CONFIG"),
        ("litellm", "LITELLM_LOG=CRITICAL", "MY_LITELLM_LOG=DEBUG LITELLM_LOG=CRITICAL"),
        ("envoy", "--log-level error", "--log-level warning"),
    ],
)
def test_a_near_miss_in_a_script_passes(part: str, old: str, new: str, spoiler: Spoiler) -> None:
    assert list_found(spoiler.edit_script(part, old, new)) == {}


# --- what is said


def test_the_error_has_a_line_for_each_violation(spoiler: Spoiler) -> None:
    rendering = spoiler.spoil(
        "litellm", both(put(f"{PARAMETERS}/rpm", 60), put("litellm_settings/cache", True))
    )
    with pytest.raises(RuleViolationError) as caught:
        require_clean(rendering)
    assert isinstance(caught.value, AigatewayError)
    first, second = str(caught.value).splitlines()
    rule = next(rule for rule in RULES if rule.id == "LL007")
    assert first.startswith(
        "infra/env/dev/litellm.yaml: model_list[0].litellm_params.rpm: limits nothing; remove it"
    )
    assert first.endswith(f"(LL007: {rule.reason}; {rule.source})")
    assert second.startswith("infra/env/dev/litellm.yaml: litellm_settings.cache: is set; remove it")


@pytest.mark.parametrize(
    ("file", "mutation"),
    [
        ("litellm", put(f"{PARAMETERS}/api_key", "hunter2-hunter2")),
        ("litellm", put(f"{PARAMETERS}/timeout", "hunter2-hunter2")),
        ("litellm", put("general_settings/master_key", "hunter2-hunter2")),
        ("litellm", put("general_settings/database_url", "postgres://u:hunter2-hunter2@h/d")),
        ("litellm", put("litellm_settings/callbacks", ["sk-hunter2-hunter2"])),
        ("litellm", put("litellm_settings/sk-hunter2-hunter2-hunter2", 1)),
        ("envoy", put("AUTH/credentials/0/key", "hunter2-hunter2")),
        ("envoy", put("HEADERS/request_mutations/0/append/header/value", "Bearer hunter2-hunter2")),
        ("envoy", put(f"{LOG}/more", "%REQ(authorization)% sk-hunter2-hunter2-hunter2")),
        ("tfvars", put("client_keys/CLIENT_KEY_ROO_A", "hunter2-hunter2")),
        ("tfvars", put("images/litellm", "litellm:sk-hunter2-hunter2-hunter2")),
    ],
)
def test_no_secret_is_ever_said(file: str, mutation: Mutation, spoiler: Spoiler) -> None:
    violations = find_violations(spoiler.spoil(file, mutation))
    assert violations
    assert "hunter2" not in "\n".join(map(str, violations))


def test_what_is_not_yaml_is_an_error_of_the_rendering(spoiler: Spoiler) -> None:
    with pytest.raises(RenderError, match=r"litellm\.yaml: is not YAML"):
        find_violations(spoiler.with_text("litellm", "a: [1\n"))


# --- the rules themselves


def test_every_rule_says_why_and_whence_in_a_line() -> None:
    for rule in RULES:
        for text in (rule.title, rule.reason, rule.source):
            assert text.strip() == text
            assert text
            assert "\n" not in text


def test_ids_are_unique_and_in_order() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids, key=lambda each: (("LL", "EN", "GW").index(each[:2]), each))


def test_the_reference_has_a_row_for_each_rule() -> None:
    rows = [line for line in render_rules_reference().splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(RULES)
    for rule, row in zip(RULES, rows[1:], strict=True):
        assert row.startswith(f"| {rule.id} | {rule.title} | ")
        assert row.replace("\\|", "").count("|") == 5
