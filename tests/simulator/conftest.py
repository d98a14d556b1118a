"""One simulator for all tests of it, each test with a marker of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import openai
import pytest

from aigateway.simulator.config import SimulatorConfig
from aigateway.simulator.server import SimulatorProcess, start

KEY = "simulated-azure-key-0123456789"
VERSION = "2025-04-01-preview"


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    with start(
        SimulatorConfig(api_key=KEY, responses_deployment="coder", embeddings_deployment="embedder")
    ) as running:
        yield running


@pytest.fixture
def marker() -> str:
    return f"mark-{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def azure(simulator: SimulatorProcess) -> Iterator[openai.AzureOpenAI]:
    with openai.AzureOpenAI(
        azure_endpoint=simulator.url, api_key=KEY, api_version=VERSION, max_retries=0, timeout=10
    ) as client:
        yield client


@pytest.fixture(scope="session")
def wire(simulator: SimulatorProcess) -> Iterator[httpx.Client]:
    """A plain HTTP client with the right key."""
    with httpx.Client(base_url=simulator.url, headers={"api-key": KEY}, timeout=10) as client:
        yield client
