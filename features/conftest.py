"""Binds the features to their steps; the steps are plugins, one for each domain."""

import pytest

# They import each other, and a failed assertion is to show its values wherever it stands.
pytest.register_assert_rewrite("steps", "aigateway.acceptance")

pytest_plugins = [
    "aigateway.acceptance.plugin",
    "steps.gateway",
    "steps.answer_streams",
    "steps.answers",
    "steps.coding",
    "steps.indexing",
    "steps.access_log",
    "steps.access",
    "steps.surface",
    "steps.malformed",
    "steps.random_requests",
    "steps.azure",
    "steps.load",
    "steps.places",
    "steps.storm",
    "steps.replicas",
    "steps.tunnel",
    "steps.wire",
    "steps.clients",
    "steps.openai_sdk",
    "steps.busy_day",
    "steps.trouble",
    "steps.departure",
    "steps.downtime",
    "steps.central_logs",
    "steps.messages",
    "steps.secrecy",
    "steps.tampering",
    "steps.isolation",
    "steps.cost",
]
