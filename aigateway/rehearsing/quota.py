"""What the deployment of Azure's lets through: by the settings, or by `--quota`, as a person writes it."""

from __future__ import annotations

import re

from aigateway.errors import AigatewayError
from aigateway.rehearsing.results import AzureQuota
from aigateway.settings.model import Settings, reckon_requests

_FACTORS = {"": 1, "k": 1000, "m": 1_000_000}
_QUOTA = re.compile(r"(\d{1,9})([km]?)(?:/(\d{1,9})([km]?))?", re.IGNORECASE | re.ASCII)


def choose_quota(text: str, settings: Settings) -> AzureQuota | None:
    """What `--quota` says, which may be "none", else what the settings say of the deployment.

    Raises AigatewayError as `read_quota` does.
    """
    if text == "none":
        return None
    if text:
        return read_quota(text)
    declared = settings.azure.embeddings.quota
    return AzureQuota(**declared.model_dump()) if declared else None


def read_quota(text: str) -> AzureQuota:
    """`350k/2100`, tokens and requests a minute; without the second, what Azure gives with so many tokens.

    Raises AigatewayError when it is none.
    """
    match = _QUOTA.fullmatch(text.strip())
    tokens = int(match[1]) * _FACTORS[match[2].lower()] if match else 0
    requests = int(match[3]) * _FACTORS[match[4].lower()] if match and match[3] else reckon_requests(tokens)
    if tokens < 1 or requests < 1:
        raise AigatewayError(
            f"--quota {text}: is no quota; write tokens a minute, or tokens/requests, as Azure shows them for the "
            "deployment: --quota 350k or --quota 350000/2100; or none"
        )
    return AzureQuota(tokens_per_minute=tokens, requests_per_minute=requests)
