"""Which api-version goes with which path, and what Azure says when it does not.

Sources: the api-version lifecycle page of Azure OpenAI
(learn.microsoft.com/azure/foundry/openai/api-version-lifecycle) for the list; for the refusals:
- an unknown or absent version on a dated path: 404 "Resource not found"
  (github.com/Azure-Samples/openai/issues/73, github.com/andrewyng/aisuite/pull/186); `v1`, `preview`,
  `latest` there: 404 too (openai/openai-python/pull/2766);
- a dated version before Responses existed: 400 (github.com/Aider-AI/aider/issues/4029);
- a dated version on `/openai/v1/`: 400 "API version not supported" (github.com/zendev-sh/goai/pull/54).
"""

from __future__ import annotations

from aigateway.simulator import refusals

DATED_VERSIONS = frozenset(
    {
        "2022-12-01",
        "2023-05-15",
        "2024-02-01",
        "2024-06-01",
        "2024-07-01-preview",
        "2024-08-01-preview",
        "2024-09-01-preview",
        "2024-10-01-preview",
        "2024-10-21",
        "2024-12-01-preview",
        "2025-01-01-preview",
        "2025-02-01-preview",
        "2025-03-01-preview",
        "2025-04-01-preview",
    }
)
FIRST_WITH_RESPONSES = "2025-03-01-preview"
V1_VERSIONS = frozenset({"v1", "preview", "latest"})


def check_dated_version(version: str | None, *, responses: bool) -> None:
    """Refuse a version that `/openai/responses` or `/openai/deployments/` does not have."""
    if version not in DATED_VERSIONS:
        raise refusals.resource_not_found()
    if responses and version < FIRST_WITH_RESPONSES:
        raise refusals.responses_not_enabled(FIRST_WITH_RESPONSES)


def check_v1_version(version: str | None) -> None:
    """Refuse a version that `/openai/v1/` does not have; absent means v1."""
    if version is not None and version not in V1_VERSIONS:
        raise refusals.version_not_supported()
