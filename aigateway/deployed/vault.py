"""The Key Vault of an environment, which holds the clients' keys."""

from __future__ import annotations

from aigateway.deployed.login import use_azure
from aigateway.errors import AigatewayError

_ROLE = "Key Vault Secrets User"


def read_secret(vault: str, name: str) -> str:
    """The secret `name` of the Key Vault `vault`.

    Raises AigatewayError when there is none, or it may not be read.
    """
    with use_azure(f"reading the secret {name} of Key Vault {vault}", _ROLE):
        from azure.identity import DefaultAzureCredential
        from azure.keyvault.secrets import SecretClient

        with (
            DefaultAzureCredential() as credential,
            SecretClient(f"https://{vault}.vault.azure.net", credential, retry_total=2) as client,
        ):
            value = client.get_secret(name).value
    if not value:
        raise AigatewayError(f"the secret {name} of Key Vault {vault} is empty")
    return value
