"""The clients that there are settings for; what they are called, and what keeps one from working with a gateway.

A client's templates stand in templates/clients/NAME: its guide, and the files that it reads.
"""

from __future__ import annotations

from collections.abc import Mapping

from aigateway.clients import Client
from aigateway.doctor.traps import ROO_MODELS, find_roo_dimensions
from aigateway.settings.model import Settings

TITLES: Mapping[Client, str] = {
    "roo": 'Roo, provider "OpenAI"',
    "roo-compatible": 'Roo, provider "OpenAI Compatible"',
    "qoder": "Qoder",
    "codex": "Codex CLI",
    "cline": "Cline",
    "opencode": "opencode",
    "kilo": "Kilo",
    "continue": "Continue",
    "openai": "OpenAI's packages",
}


def find_obstacle(client: Client, settings: Settings) -> str:
    """Why the client cannot work with a gateway of these settings; empty where it can."""
    model = settings.azure.responses.model
    if client == "roo" and model not in ROO_MODELS:
        return (
            f'Roo\'s provider "OpenAI" does not know the model {model}, and would ask for gpt-5.1-codex-max instead; '
            "use --client roo-compatible"
        )
    return ""


def can_roo_index(settings: Settings) -> bool:
    """Whether Roo makes an index of the vectors that the gateway gives."""
    embeddings = settings.azure.embeddings
    return find_roo_dimensions(embeddings.model) in {None, embeddings.dimensions}
