"""The clients that there are settings for; what they are called, and what keeps one from working with a gateway.

A client's templates stand in templates/clients/NAME: its guide, and the files that it reads.
"""

from __future__ import annotations

from collections.abc import Mapping

from aigateway.clients import Client
from aigateway.settings.model import EMBEDDING_DIMENSIONS, Settings

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

#: The models of Roo's provider "OpenAI"; for any other name it takes gpt-5.1-codex-max without a word
#: (npm: @roo-code/types 1.115.0, openAiNativeModels).
ROO_MODELS = frozenset(
    {
        "codex-mini-latest",
        "gpt-4.1",
        "gpt-4.1-mini",
        "gpt-4.1-nano",
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-5",
        "gpt-5-2025-08-07",
        "gpt-5-chat-latest",
        "gpt-5-codex",
        "gpt-5-mini",
        "gpt-5-mini-2025-08-07",
        "gpt-5-nano",
        "gpt-5-nano-2025-08-07",
        "gpt-5.1",
        "gpt-5.1-codex",
        "gpt-5.1-codex-max",
        "gpt-5.1-codex-mini",
        "gpt-5.2",
        "gpt-5.2-chat-latest",
        "gpt-5.2-codex",
        "gpt-5.3-codex",
        "o1",
        "o1-mini",
        "o1-preview",
        "o3",
        "o3-high",
        "o3-low",
        "o3-mini",
        "o3-mini-high",
        "o3-mini-low",
        "o4-mini",
        "o4-mini-high",
        "o4-mini-low",
    }
)

#: In an address, these make Codex take the gateway for Azure's own service
#: (github.com/openai/codex, codex-rs/codex-api/src/provider.rs).
_CODEX_AZURE_MARKERS = (
    "openai.azure.",
    "cognitiveservices.azure.",
    "aoai.azure.",
    "azure-api.",
    "azurefd.",
    "windows.net/openai",
)


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
    """Whether Roo makes an index of the vectors that the gateway gives.

    For a model that it knows it goes by the model's own dimensions, whatever its settings say (Roo Code,
    src/services/code-index/service-factory.ts).
    """
    embeddings = settings.azure.embeddings
    known = EMBEDDING_DIMENSIONS.get(embeddings.model)
    return known is None or known[1] == embeddings.dimensions


def is_azure_to_codex(base_url: str) -> bool:
    """Whether Codex takes the address for Azure's own service, and has the server shorten long conversations."""
    return any(marker in base_url.lower() for marker in _CODEX_AZURE_MARKERS)
