"""Values for the secrets that a deployment writes: keys are made here, at random; what is Azure's is handed in.

They are printed as Terraform's variable `secrets` wants them, for a pipe or a variable, and kept nowhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from aigateway.errors import AigatewayError
from aigateway.settings.model import SecretVersions, Settings
from aigateway.settings.problems import suggest

#: What Azure says and nobody can make, with the environment variable that has it and the command that shows it.
_FROM_AZURE = {
    "azure-openai-endpoint": (
        "AZURE_OPENAI_ENDPOINT",
        "az cognitiveservices account show -n NAME -g GROUP --query properties.endpoint -o tsv",
    ),
    "azure-openai-key": (
        "AZURE_OPENAI_KEY",
        "az cognitiveservices account keys list -n NAME -g GROUP --query key1 -o tsv",
    ),
}


def list_secret_names(settings: Settings) -> tuple[str, ...]:
    """Every secret of an environment, by its name in the Key Vault."""
    fixed = (name.replace("_", "-") for name in SecretVersions.model_fields)
    clients = (name for client in settings.clients for name in client.secret_names)
    return (*fixed, *clients)


def make_secrets(settings: Settings, names: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """A value for each of the secrets `names`, by default all; Azure's are read from `environment`.

    Raises AigatewayError for a name that is none, and for a value of Azure's that is not there.
    """
    known = list_secret_names(settings)
    for name in names:
        if name not in known:
            near = suggest(name, known) or f"; there are {', '.join(known)}"
            raise AigatewayError(f"{settings.environment} has no secret {name}{near}")
    return {name: _make(name, environment) for name in names or known}


def _make(name: str, environment: Mapping[str, str]) -> str:
    if name not in _FROM_AZURE:
        return f"sk-{secrets.token_urlsafe(32)}"
    variable, command = _FROM_AZURE[name]
    value = environment.get(variable, "").strip()
    if not value:
        raise AigatewayError(f'{name} is Azure\'s to say: run: export {variable}="$({command})"')
    return value
