"""Binds the features to their steps; the steps are plugins, one for each domain."""

pytest_plugins = [
    "aigateway.acceptance.plugin",
    "steps.gateway",
    "steps.answers",
    "steps.coding",
    "steps.indexing",
    "steps.access",
    "steps.azure",
    "steps.load",
]
