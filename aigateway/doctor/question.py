"""What the doctor is asked: about which gateway, what is expected of it, and with what patience."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aigateway.deployed.deployment import KEY_VARIABLE
from aigateway.doctor.address import Address, Key, read_address, read_key
from aigateway.doctor.catalogue import Check
from aigateway.doctor.clients import DEFAULT_TOKENS, ClientName
from aigateway.errors import AigatewayError
from aigateway.settings.loading import find_root, load_environment
from aigateway.settings.model import EMBEDDING_DIMENSIONS, EmbeddingsDeployment, ResponsesDeployment


@dataclass(frozen=True)
class Patience:
    """Seconds. `deadline`: of a whole run; `longest`: of any check; the others: what is told as slow.

    `stretch`: by how much longer each check may take than it says, on a machine that has much else to do.
    """

    deadline: float = 15.0
    longest: float = 10.0
    slow_gateway: float = 3.0
    slow_first_event: float = 6.0
    silence: float = 5.0
    #: A stream that took less in all says nothing about buffering.
    telling: float = 1.5
    stretch: float = 1.0

    def limit(self, check: Check) -> float:
        """How long a check may take."""
        return min(check.seconds * self.stretch, self.longest)


@dataclass(frozen=True)
class Expectations:
    """What the gateway should serve; `dimensions` of the embedding model's vectors, where they are known."""

    model: str
    embedding_model: str
    dimensions: int | None


@dataclass(frozen=True)
class Question:
    """All that a run is about."""

    address: Address
    key: Key
    expected: Expectations
    client: ClientName | None = None
    token_budget: int = DEFAULT_TOKENS
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    patience: Patience = Patience()


def put_question(
    base_url: str,
    expected: Expectations,
    client: ClientName | None,
    token_budget: int,
    environment: Mapping[str, str],
) -> Question:
    """The question of somebody at the command line; the key is the environment's.

    Raises AigatewayError where it cannot be asked: no key, no address, no budget.
    """
    if token_budget < 1:
        raise AigatewayError(f"a token budget of {token_budget} lets nothing run; give one above 0, or none")
    key = environment.get(KEY_VARIABLE, "")
    if not key:
        raise AigatewayError(
            f"{KEY_VARIABLE} is not set; export the key that the client uses, so that it can be tried: "
            f"read -rs {KEY_VARIABLE} && export {KEY_VARIABLE}"
        )
    return Question(read_address(base_url), read_key(key), expected, client, token_budget, environment)


def find_expectations(
    environment: str, model: str, embedding_model: str, dimensions: int | None
) -> Expectations:
    """What the settings of `environment` say, or their defaults where it is empty; what is given goes first.

    Raises AigatewayError for an environment that there is not.
    """
    if environment:
        azure = load_environment(find_root(Path.cwd()), environment).azure
        coder, embedder = azure.responses, azure.embeddings
    else:
        coder, embedder = ResponsesDeployment(), EmbeddingsDeployment()
    if embedding_model and embedding_model != embedder.model:
        embedder = _describe(embedding_model)
        if embedding_model not in EMBEDDING_DIMENSIONS:
            return Expectations(model or coder.model, embedding_model, dimensions)
    return Expectations(model or coder.model, embedder.model, dimensions or embedder.dimensions)


def _describe(model: str) -> EmbeddingsDeployment:
    try:
        return EmbeddingsDeployment(model=model)
    except ValueError as error:
        raise AigatewayError(
            f"--embedding-model: {model!r} is no name of a model, which is like text-embedding-3-large"
        ) from error
