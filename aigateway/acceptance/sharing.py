"""What the process that controls a run shares with its workers: the deployed gateway, the token budget, the pace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from aigateway.acceptance.budget import Budget, choose_budget, open_budget
from aigateway.acceptance.pacing import Pace, open_pace
from aigateway.deployed.deployment import Deployment, find_deployment
from aigateway.errors import AigatewayError
from aigateway.settings.loading import find_root, load_environment
from aigateway.settings.model import Settings

_INPUT = "aigateway_shared"


class Shared:
    """The same in every process of a run. A deployed gateway's key goes to the workers in memory only."""

    NAME = "aigateway-shared"

    def __init__(self, deployment: Deployment | None, budget: Budget | None, pace: Pace) -> None:
        self.__name__ = self.NAME  # by which pytest registers it
        self.deployment = deployment
        self.budget = budget
        self.pace = pace

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker."""
        node.workerinput[_INPUT] = (
            self.deployment.model_dump_json() if self.deployment else "",
            str(self.budget.path) if self.budget else "",
            self.pace.model_dump_json(),
        )


@contextmanager
def share(settings: Settings, deployment: Deployment | None, tokens: int | None) -> Iterator[Shared]:
    """What the processes of a run with these settings share while it lasts."""
    with open_budget(tokens) as budget, open_pace(settings, fresh=deployment is None) as pace:
        yield Shared(deployment, budget, pace)


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


def _receive(deployment: str, budget: str, pace: str) -> Shared:
    return Shared(
        Deployment.model_validate_json(deployment) if deployment else None,
        Budget(Path(budget)) if budget else None,
        Pace.model_validate_json(pace),
    )


def _make(config: pytest.Config) -> Shared:
    option = config.option
    undo = ExitStack()
    config.add_cleanup(undo.close)
    found = None
    try:
        tokens = choose_budget(option.target, option.token_budget)
        root = find_root(config.invocation_params.dir)
        if option.target == "deployed":
            found = find_deployment(root, option.environment, option.base_url, option.workspace)
        return undo.enter_context(share(load_environment(root, option.environment), found, tokens))
    except AigatewayError as error:
        raise pytest.UsageError(str(error)) from error
