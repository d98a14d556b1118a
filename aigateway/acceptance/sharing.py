"""What the process that controls a run shares with its workers: the deployed gateway, the token budget."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from aigateway.acceptance.budget import Budget, choose_budget, open_budget
from aigateway.deployed.deployment import Deployment, find_deployment
from aigateway.errors import AigatewayError
from aigateway.settings.loading import find_root

_INPUT = "aigateway_shared"


class Shared:
    """The same in every process of a run. A deployed gateway's key goes to the workers in memory only."""

    NAME = "aigateway-shared"

    def __init__(self, deployment: Deployment | None, budget: Budget | None) -> None:
        self.__name__ = self.NAME  # by which pytest registers it
        self.deployment = deployment
        self.budget = budget

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker."""
        node.workerinput[_INPUT] = (
            self.deployment.model_dump_json() if self.deployment else "",
            str(self.budget.path) if self.budget else "",
        )


def find_shared(config: pytest.Config) -> Shared:
    """What this process shares; `aigateway accept` has registered it, pytest alone goes by its options.

    Raises UsageError, in the words of an AigatewayError.
    """
    plugin = config.pluginmanager.get_plugin(Shared.NAME)
    if plugin is None:
        workerinput = getattr(config, "workerinput", None)
        plugin = _receive(*workerinput[_INPUT]) if workerinput else _make(config)
        config.pluginmanager.register(plugin)
    return cast("Shared", plugin)


def _receive(deployment: str, budget: str) -> Shared:
    return Shared(
        Deployment.model_validate_json(deployment) if deployment else None,
        Budget(Path(budget)) if budget else None,
    )


def _make(config: pytest.Config) -> Shared:
    option = config.option
    undo = ExitStack()
    config.add_cleanup(undo.close)
    try:
        tokens = choose_budget(option.target, option.token_budget)
        budget = undo.enter_context(open_budget(tokens))
        if option.target == "local":
            return Shared(None, budget)
        root = find_root(config.invocation_params.dir)
        found = find_deployment(root, option.environment, option.base_url, option.workspace)
        return Shared(found, budget)
    except AigatewayError as error:
        raise pytest.UsageError(str(error)) from error
