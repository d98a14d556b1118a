"""`--quota`: what a deployment of Azure's lets through, as a person writes it."""

from __future__ import annotations

import re

from aigateway.errors import AigatewayError
from aigateway.rehearsing.results import AzureQuota

# learn.microsoft.com/azure/ai-services/openai/how-to/quota: 6 requests with each 1000 tokens, for most models.
_TOKENS_FOR_A_REQUEST = 1000 / 6

_FACTORS = {"": 1, "k": 1000, "m": 1_000_000}
_QUOTA = re.compile(r"(\d{1,9})([km]?)(?:/(\d{1,9})([km]?))?", re.IGNORECASE | re.ASCII)


def read_quota(text: str) -> AzureQuota:
    """`350k/2100`, tokens and requests a minute; without the second, what Azure gives with so many tokens.

    Raises AigatewayError when it is none.
    """
    match = _QUOTA.fullmatch(text.strip())
    tokens = int(match[1]) * _FACTORS[match[2].lower()] if match else 0
    requests = (
        int(match[3]) * _FACTORS[match[4].lower()]
        if match and match[3]
        else int(tokens / _TOKENS_FOR_A_REQUEST)
    )
    if tokens < 1 or requests < 1:
        raise AigatewayError(
            f"--quota {text}: is no quota; write tokens a minute, or tokens/requests, as Azure shows them for the "
            "deployment: --quota 350k or --quota 350000/2100"
        )
    return AzureQuota(tokens_per_minute=tokens, requests_per_minute=requests)
