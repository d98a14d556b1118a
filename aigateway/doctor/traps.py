"""What clients make, without a word, of a model's name and of an address; `aigateway clients` goes by it as well."""

from __future__ import annotations

from aigateway.settings.model import EMBEDDING_DIMENSIONS

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


def find_roo_dimensions(model: str) -> int | None:
    """The length of vectors that Roo makes an index for, whatever its settings say; nothing where it goes by them.

    For a model that it knows it is the model's own (Roo Code, src/services/code-index/service-factory.ts).
    """
    known = EMBEDDING_DIMENSIONS.get(model)
    return known[1] if known else None


def is_azure_to_codex(base_url: str) -> bool:
    """Whether Codex takes the address for Azure's own service, and has the server shorten long conversations."""
    return any(marker in base_url.lower() for marker in _CODEX_AZURE_MARKERS)
