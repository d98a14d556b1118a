"""The values that a setting may have beyond plain types: names, versions, images, addresses and quantities.

`Allowed` says in words what the pattern or the function beside it checks; errors and the reference print it.
"""

from __future__ import annotations

import ipaddress
from datetime import date
from functools import partial
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints

from aigateway.settings.locations import CODES
from aigateway.settings.problems import refuse, suggest
from aigateway.settings.vocabulary import Allowed

EnvironmentName = Literal["dev", "staging", "prod"]
Endpoint = Literal["responses", "embeddings"]
KeySlot = Literal["a", "b"]

ENVIRONMENTS: tuple[EnvironmentName, ...] = get_args(EnvironmentName)
ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)

# Azure answers 404 to /openai/responses before this version.
FIRST_RESPONSES_VERSION = date(2025, 3, 1)
# A word in place of a date goes to /openai/v1/responses.
RESPONSES_VERSION_WORDS = ("v1", "preview", "latest")


def _check_location(name: str) -> str:
    if name not in CODES:
        known = suggest(name, CODES) or f"; known are {', '.join(CODES)}"
        raise refuse(f"is '{name}', which is no Azure location that is known here{known}")
    return name


def _check_api_version(text: str, *, words: tuple[str, ...] = (), first: date = date.min) -> str:
    if text in words:
        return text
    day_text = text.removesuffix("-preview")
    day = date.fromisoformat(day_text)
    if day.isoformat() != day_text:
        # Python reads 20241021 and 2024-W43-1 too; Azure does not.
        raise ValueError(text)
    if day < first:
        raise refuse(
            f"is '{text}'; must be {first}-preview or later: Azure has no Responses API before that version"
        )
    return text


def _check_address_range(text: str) -> str:
    network = ipaddress.IPv4Network(text)
    if network.prefixlen == 0:
        raise refuse(f"is '{text}', which is every address; leave allowed_ip_ranges empty for that")
    return str(network)


# RFC 1918.
_PRIVATE_RANGES = tuple(
    ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
# Container Apps keeps these of them for itself (learn.microsoft.com/azure/container-apps/custom-virtual-networks).
_PLATFORM_RANGE = ipaddress.IPv4Network("172.30.0.0/15")
# Half of a /26 is a /27, the least that Container Apps takes.
_LARGEST_PREFIX, _SMALLEST_PREFIX = 16, 26


def _check_private_range(text: str) -> str:
    network = ipaddress.IPv4Network(text)
    private = any(network.subnet_of(free) for free in _PRIVATE_RANGES)
    if not private or network.overlaps(_PLATFORM_RANGE):
        raise refuse(f"is '{text}', which is not free for private use; must be such as 10.42.0.0/24")
    if not _LARGEST_PREFIX <= network.prefixlen <= _SMALLEST_PREFIX:
        raise refuse(f"is '{text}'; must be from /{_LARGEST_PREFIX} to /{_SMALLEST_PREFIX} long")
    return str(network)


ProjectName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=30),
    Allowed("lower-case letters, digits and single hyphens, beginning with a letter, at most 30 characters"),
]
ClientName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40),
    Allowed("lower-case letters, digits and single hyphens, beginning with a letter, at most 40 characters"),
]
LocationName = Annotated[
    str, AfterValidator(_check_location), Allowed("an Azure location, such as westeurope")
]
LocationCode = Annotated[str, Allowed("the code of the location")]

ModelName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    Allowed("letters, digits, '.', '_' and '-', at most 64 characters"),
]
DeploymentName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}[A-Za-z0-9]$"),
    Allowed("a deployment's name in Azure: 2 to 64 letters, digits, '.', '_' and '-'"),
]
BaseModelName = Annotated[
    str,
    StringConstraints(pattern=r"^azure/[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128),
    Allowed("a name in LiteLLM's model map, such as azure/gpt-5.3-codex"),
]
ResponsesApiVersion = Annotated[
    str,
    AfterValidator(partial(_check_api_version, words=RESPONSES_VERSION_WORDS, first=FIRST_RESPONSES_VERSION)),
    Allowed("a version from 2025-03-01-preview on, v1, preview or latest"),
]
EmbeddingsApiVersion = Annotated[
    str,
    AfterValidator(_check_api_version),
    Allowed("a version such as 2024-10-21 or 2024-10-01-preview"),
]

Repository = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$", max_length=255
    ),
    Allowed("an image's repository without tag, such as ghcr.io/berriai/litellm"),
]
Tag = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"),
    Allowed("an image's tag, such as v1.40.0"),
]
Digest = Annotated[
    str,
    StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$"),
    Allowed("sha256: and 64 hexadecimal digits"),
]

# Container Apps takes IPv4 only (learn.microsoft.com/azure/container-apps/ip-restrictions).
AddressRange = Annotated[
    str,
    AfterValidator(_check_address_range),
    Allowed("an IPv4 range such as 203.0.113.0/24, no bits after /24"),
]
PrivateRange = Annotated[
    str,
    AfterValidator(_check_private_range),
    Allowed("a private IPv4 range from /16 to /26, such as 10.42.0.0/24"),
]
EmailAddress = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", max_length=254),
    Allowed("an e-mail address"),
]

RequestsPerMinute = Annotated[
    int,
    Field(
        gt=0,
        le=1_000_000,
        description="requests let through in any minute, the burst included",
        json_schema_extra={"unit": "requests / min"},
    ),
]
Burst = Annotated[
    int,
    Field(
        gt=0,
        le=1_000_000,
        description="requests that may come at once; below `requests_per_minute`",
        json_schema_extra={"unit": "requests"},
    ),
]
Parallel = Annotated[
    int,
    Field(
        gt=0,
        le=10_000,
        description="requests to Azure at once; a stream counts until it ends",
        json_schema_extra={"unit": "requests"},
    ),
]
Queue = Annotated[
    int,
    Field(
        gt=0,  # Envoy refuses even the first request of a connection to be made with 0
        le=10_000,
        description="requests that wait when `parallel` is reached; those beyond are refused; not below `parallel`",
        json_schema_extra={"unit": "requests"},
    ),
]
SecretVersion = Annotated[
    int,
    Field(
        ge=1,
        le=1_000_000,
        description="raised by one, the next deployment asks for the secret and writes it",
        json_schema_extra={"unit": "replacements"},
    ),
]
Processor = Annotated[
    float,
    Field(
        gt=0,
        le=4,
        multiple_of=0.25,
        description="processor of the container",
        json_schema_extra={"unit": "vCPU"},
    ),
]
Memory = Annotated[
    float,
    Field(
        gt=0, le=8, multiple_of=0.25, description="memory of the container", json_schema_extra={"unit": "GiB"}
    ),
]
