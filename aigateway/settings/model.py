"""The settings of one environment, typed and frozen; every default stands here and only here.

A limit is declared for the environment. The edge counts for each replica by itself, so it enforces a share:
the limit divided by the maximum of replicas, rounded down. `RateLimit.divide` is that division; the checks
here see to it that every share is still a limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aigateway.settings.locations import CODES
from aigateway.settings.problems import Problem, refuse
from aigateway.settings.values import (
    ENDPOINTS,
    AddressRange,
    BaseModelName,
    Burst,
    ClientName,
    DeploymentName,
    Digest,
    EmailAddress,
    EmbeddingsApiVersion,
    Endpoint,
    EnvironmentName,
    KeySlot,
    LocationCode,
    LocationName,
    Memory,
    ModelName,
    Parallel,
    PrivateRange,
    Processor,
    ProjectName,
    Queue,
    Repository,
    RequestsPerMinute,
    ResponsesApiVersion,
    SecretVersion,
    Tag,
)
from aigateway.settings.vocabulary import Allowed

# Fewest and most dimensions of each embeddings model; the most is also what it gives by itself.
EMBEDDING_DIMENSIONS = {
    "text-embedding-3-large": (1, 3072),
    "text-embedding-3-small": (1, 1536),
    "text-embedding-ada-002": (1536, 1536),
}


class Group(BaseModel):
    """A group of settings: frozen, its types taken at their word, and no key in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class Location(Group):
    """Where the environment's resources stand."""

    name: LocationName = Field(default="southafricanorth", description="Azure location of every resource")
    code: LocationCode = Field(
        default_factory=lambda fields: CODES[fields["name"]],
        description="short code of the location, the last part of every name",
        json_schema_extra={"default": "the location's code, `san` for southafricanorth"},
    )

    @model_validator(mode="after")
    def _check_code(self) -> Self:
        if self.code == CODES[self.name]:
            return self
        named = [location for location, code in CODES.items() if code == self.code]
        why = f"that is {named[0]}'s" if named else "no location has that code"
        raise refuse(
            Problem(
                f"is '{self.code}'; must be '{CODES[self.name]}', the code of {self.name} ({why})",
                (("code",),),
            )
        )


class ResponsesDeployment(Group):
    """The Azure deployment behind /v1/responses."""

    model: ModelName = Field(default="gpt-5.3-codex", description="model's name, as clients send it")
    deployment: DeploymentName = Field(
        default_factory=lambda fields: fields["model"],
        description="name of the deployment in Azure OpenAI",
        json_schema_extra={"default": "the model's name"},
    )
    base_model: BaseModelName = Field(
        default_factory=lambda fields: f"azure/{fields['model']}",
        description="the model's name in LiteLLM's map; needed where `model` is a name of your own",
        json_schema_extra={"default": "`azure/` and the model's name"},
    )
    api_version: ResponsesApiVersion = Field(
        default="2025-04-01-preview",
        description="Azure's api-version; a date goes to /openai/responses, a word to /openai/v1/responses",
    )
    # gpt-5.3-codex's: learn.microsoft.com/azure/foundry/foundry-models, GPT-5 codex table.
    input_tokens: int = Field(
        default=272_000,
        gt=0,
        le=100_000_000,
        description="most that the model reads at once; `aigateway clients` tells clients",
        json_schema_extra={"unit": "tokens"},
    )
    output_tokens: int = Field(
        default=128_000,
        gt=0,
        le=100_000_000,
        description="most that the model writes at once, its reasoning included; `aigateway clients` tells clients",
        json_schema_extra={"unit": "tokens"},
    )

    @property
    def context_tokens(self) -> int:
        """What the model reads and writes together, in tokens: what most clients call its context window."""
        return self.input_tokens + self.output_tokens


# learn.microsoft.com/azure/ai-services/openai/how-to/quota: for most models.
_REQUESTS_FOR_1000_TOKENS = 6


def reckon_requests(tokens_per_minute: int) -> int:
    """The requests a minute that Azure gives with so many tokens a minute."""
    return tokens_per_minute * _REQUESTS_FOR_1000_TOKENS // 1000


class Quota(Group):
    """What Azure lets a deployment do, as the portal shows it for the deployment."""

    tokens_per_minute: int = Field(
        ge=1000,
        le=1_000_000_000,
        description="tokens that Azure lets through in a minute; `aigateway rehearse` goes by it, the gateway does not",
        json_schema_extra={"unit": "tokens / min"},
    )
    requests_per_minute: int = Field(
        default_factory=lambda fields: reckon_requests(fields["tokens_per_minute"]),
        gt=0,
        le=10_000_000,
        description="requests that Azure lets through in a minute",
        json_schema_extra={"unit": "requests / min", "default": "6 for each 1000 tokens"},
    )


class EmbeddingsDeployment(Group):
    """The Azure deployment behind /v1/embeddings."""

    model: ModelName = Field(default="text-embedding-3-large", description="model's name, as clients send it")
    deployment: DeploymentName = Field(
        default_factory=lambda fields: fields["model"],
        description="name of the deployment in Azure OpenAI",
        json_schema_extra={"default": "the model's name"},
    )
    base_model: BaseModelName = Field(
        default_factory=lambda fields: f"azure/{fields['model']}",
        description="the model's name in LiteLLM's map; needed where `model` is a name of your own",
        json_schema_extra={"default": "`azure/` and the model's name"},
    )
    dimensions: int = Field(
        default_factory=lambda fields: EMBEDDING_DIMENSIONS.get(
            fields["base_model"].removeprefix("azure/"), (1, 3072)
        )[1],
        gt=0,
        le=8192,
        description="length of a vector; what an index was built with must not change",
        json_schema_extra={"unit": "numbers", "default": "the model's own, 3072 for text-embedding-3-large"},
    )
    api_version: EmbeddingsApiVersion = Field(default="2024-10-21", description="Azure's api-version")
    quota: Quota | None = Field(
        default=None,
        description="what Azure lets through; `aigateway rehearse` goes by it, the gateway does not",
    )

    @property
    def full_dimensions(self) -> int:
        """The length of the model's own vectors, of which `dimensions` may be a shortened form."""
        return EMBEDDING_DIMENSIONS.get(self.base_model.removeprefix("azure/"), (1, self.dimensions))[1]

    @model_validator(mode="after")
    def _check_dimensions(self) -> Self:
        name = self.base_model.removeprefix("azure/")
        fewest, most = EMBEDDING_DIMENSIONS.get(name, (1, self.dimensions))
        if fewest <= self.dimensions <= most:
            return self
        allowed = str(most) if fewest == most else f"a whole number from {fewest} to {most}"
        raise refuse(
            Problem(f"is {self.dimensions}; must be {allowed} for {name}", (("dimensions",), ("model",)))
        )


class Azure(Group):
    """What the gateway talks to."""

    responses: ResponsesDeployment = Field(
        default=ResponsesDeployment(), description="the deployment behind /v1/responses"
    )
    embeddings: EmbeddingsDeployment = Field(
        default=EmbeddingsDeployment(), description="the deployment behind /v1/embeddings"
    )

    @model_validator(mode="after")
    def _check_that_they_differ(self) -> Self:
        problems = [
            Problem(
                f"is '{getattr(self.embeddings, name)}', as azure.responses.{name} is; must be another",
                (("embeddings", name), ("responses", name)),
            )
            for name in ("model", "deployment")
            if getattr(self.embeddings, name) == getattr(self.responses, name)
        ]
        if problems:
            raise refuse(*problems)
        return self


class Image(Group):
    """A container image, by exact tag and, once released, by digest."""

    repository: Repository = Field(description="where the image is pulled from, without tag")
    tag: Tag = Field(description="exact version; a moving tag is refused when the configs are rendered")
    digest: Digest | None = Field(
        default=None, description="what the tag must stand for; added when a release is made"
    )

    @property
    def reference(self) -> str:
        """`repository:tag`, with `@digest` where it is pinned."""
        tagged = f"{self.repository}:{self.tag}"
        return tagged if self.digest is None else f"{tagged}@{self.digest}"


class LiteLLMImage(Image):
    """LiteLLM's image."""

    repository: Repository = Field(
        default="ghcr.io/berriai/litellm", description="where LiteLLM's image is pulled from, without tag"
    )
    tag: Tag = Field(
        default="v1.106.2", description="exact version; a moving tag is refused when the configs are rendered"
    )


class EnvoyImage(Image):
    """Envoy's image; it must have a shell, which the distroless one has not."""

    repository: Repository = Field(
        default="envoyproxy/envoy", description="where Envoy's image is pulled from, without tag"
    )
    tag: Tag = Field(
        default="v1.40.0", description="exact version; a moving tag is refused when the configs are rendered"
    )


class Images(Group):
    """The two parts of the gateway."""

    litellm: LiteLLMImage = Field(default=LiteLLMImage(), description="LiteLLM's image")
    envoy: EnvoyImage = Field(
        default=EnvoyImage(),
        description="Envoy's image; it must have a shell, which the distroless one has not",
    )


class RateLimit(Group):
    """How many requests may come."""

    requests_per_minute: RequestsPerMinute
    burst: Burst

    @model_validator(mode="after")
    def _check_burst(self) -> Self:
        if self.burst < self.requests_per_minute:
            return self
        raise refuse(
            Problem(
                f"is {self.burst}; must be below requests_per_minute, which is {self.requests_per_minute}",
                (("burst",), ("requests_per_minute",)),
            )
        )

    def divide(self, parts: int) -> Self:
        """One of `parts` equal shares, rounded down, so that together they never exceed the whole."""
        return self.model_copy(
            update={name: getattr(self, name) // parts for name in type(self).model_fields}
        )


class EndpointLimit(RateLimit):
    """How many requests may come to an endpoint, and how many of them reach Azure at once."""

    parallel: Parallel
    queue: Queue

    @model_validator(mode="after")
    def _check_queue(self) -> Self:
        # Envoy counts a request as waiting while the connection for it is made.
        if self.queue >= self.parallel:
            return self
        raise refuse(
            Problem(
                f"is {self.queue}; must not be below parallel, which is {self.parallel}: an idle gateway would "
                f"refuse what comes at once beyond the queue",
                (("queue",), ("parallel",)),
            )
        )


class ResponsesLimit(EndpointLimit):
    """The limit of /v1/responses."""

    requests_per_minute: RequestsPerMinute = 600
    burst: Burst = 100
    parallel: Parallel = 50
    queue: Queue = 100


class EmbeddingsLimit(EndpointLimit):
    """The limit of /v1/embeddings; Roo's indexing sends 10 at once and keeps 20 more waiting."""

    requests_per_minute: RequestsPerMinute = 600
    burst: Burst = 100
    parallel: Parallel = 20
    queue: Queue = 100


class Limits(Group):
    """Limits of the whole environment, all replicas and clients together."""

    responses: ResponsesLimit = Field(default=ResponsesLimit(), description="limit of /v1/responses")
    embeddings: EmbeddingsLimit = Field(default=EmbeddingsLimit(), description="limit of /v1/embeddings")
    client_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="a client's own limit, where it declares none, as a share of the endpoint's",
        json_schema_extra={"unit": "share"},
    )


class ClientLimits(Group):
    """A client's own limits, where they differ from its share."""

    responses: RateLimit | None = Field(default=None, description="the client's limit for /v1/responses")
    embeddings: RateLimit | None = Field(default=None, description="the client's limit for /v1/embeddings")


class Client(Group):
    """A downstream project or person, with a key of its own."""

    name: ClientName = Field(description="name in the access log, and part of its keys' names")
    keys: Annotated[tuple[KeySlot, ...], Field(strict=False)] = Field(
        default=("a",),
        min_length=1,
        max_length=2,
        description="the key slots that are valid: one, or both while a key is rotated with no gap",
    )
    limits: ClientLimits = Field(
        default=ClientLimits(), description="own limits; by default `limits.client_share` of each endpoint's"
    )

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if len(set(self.keys)) == len(self.keys):
            return self
        raise refuse(
            Problem(f"has '{self.keys[1]}' twice; must be [a], [b] or [a, b]", (("keys", 1), ("keys",)))
        )

    @property
    def key_variables(self) -> tuple[str, ...]:
        """Environment variables that hold its valid keys, one for each slot."""
        return tuple(self.key_variable(slot) for slot in self.keys)

    def key_variable(self, slot: KeySlot) -> str:
        """The environment variable that holds the key of a slot, valid or not: `CLIENT_KEY_ROO_A`."""
        return f"CLIENT_KEY_{self.name.upper().replace('-', '_')}_{slot.upper()}"

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Key Vault secrets that hold its keys, one for each slot: `client-roo-a`."""
        return tuple(f"client-{self.name}-{slot}" for slot in self.keys)


class Retries(Group):
    """What is tried again when Azure answers 429 or 5xx before the first byte."""

    attempts: int = Field(
        default=3,
        ge=1,
        le=5,
        description="attempts in all, the first one included",
        json_schema_extra={"unit": "attempts"},
    )
    backoff_base_seconds: float = Field(
        default=0.5,
        gt=0,
        le=10,
        description="wait before the second attempt; it doubles with each further one",
        json_schema_extra={"unit": "s"},
    )
    backoff_max_seconds: float = Field(
        default=8, gt=0, le=60, description="longest such wait", json_schema_extra={"unit": "s"}
    )
    retry_after_max_seconds: int = Field(
        default=20,
        gt=0,
        le=60,
        description="longest Retry-After of Azure's that is waited for; a longer one is left to the client",
        json_schema_extra={"unit": "s"},
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.backoff_base_seconds <= self.backoff_max_seconds:
            return self
        raise refuse(
            Problem(
                f"is {self.backoff_max_seconds:g}; must not be below backoff_base_seconds, "
                f"which is {self.backoff_base_seconds:g}",
                (("backoff_max_seconds",), ("backoff_base_seconds",)),
            )
        )


class Timeouts(Group):
    """How long is waited for Azure."""

    responses_seconds: int = Field(
        default=600,
        gt=0,
        le=3600,
        description="one request to /v1/responses",
        json_schema_extra={"unit": "s"},
    )
    embeddings_seconds: int = Field(
        default=60, gt=0, le=600, description="one request to /v1/embeddings", json_schema_extra={"unit": "s"}
    )
    stream_idle_seconds: int = Field(
        default=360,
        gt=0,
        le=3600,
        description="longest silence inside a stream; not above responses_seconds",
        json_schema_extra={"unit": "s"},
    )
    connect_seconds: int = Field(
        default=5,
        gt=0,
        le=60,
        description="making a connection from the edge to LiteLLM",
        json_schema_extra={"unit": "s"},
    )

    @model_validator(mode="after")
    def _check_idle(self) -> Self:
        if self.stream_idle_seconds <= self.responses_seconds:
            return self
        raise refuse(
            Problem(
                f"is {self.stream_idle_seconds}; must not be above responses_seconds, "
                f"which is {self.responses_seconds}",
                (("stream_idle_seconds",), ("responses_seconds",)),
            )
        )


#: Envoy 1.40.0's memory, idle and for each MiB of a body that is nothing but one-digit numbers: 407 MB in all were
#: measured with 8 MB, 704 with 15. It reads one body after the other. Lists in lists take twice as much, and no client
#: sends such: docs/deviations.md.
ENVOY_IDLE_MIB = 80
ENVOY_MIB_FOR_BODY_MIB = 48


class ContainerSize(Group):
    """What one container of a replica gets."""

    cpu: Processor
    memory_gib: Memory


class LiteLLMSize(ContainerSize):
    """LiteLLM takes 310 MB idle and 400 MB after load; large bodies take more."""

    cpu: Processor = 0.75
    memory_gib: Memory = Field(default=1.5, ge=1)


class EnvoySize(ContainerSize):
    """Envoy takes 77 MB."""

    cpu: Processor = 0.25
    memory_gib: Memory = 0.5


class Scale(Group):
    """How many replicas run, and how large one is."""

    min_replicas: int = Field(
        default=0,
        ge=0,
        le=300,
        description="replicas that always run; 0 saves money and makes the first request wait for a start",
        json_schema_extra={"unit": "replicas"},
    )
    max_replicas: int = Field(
        default=1,
        ge=1,
        le=300,
        description="most replicas; every limit is divided by it",
        json_schema_extra={"unit": "replicas"},
    )
    litellm: LiteLLMSize = Field(default=LiteLLMSize(), description="size of LiteLLM's container")
    envoy: EnvoySize = Field(default=EnvoySize(), description="size of Envoy's container")
    concurrent_requests: int = Field(
        default=20,
        gt=0,
        le=1000,
        description="requests at once in a replica above which another is started; a trigger, not a cap",
        json_schema_extra={"unit": "requests"},
    )
    cooldown_seconds: int = Field(
        default=300,
        gt=0,
        le=3600,
        description="quiet time before replicas are taken away",
        json_schema_extra={"unit": "s"},
    )
    termination_grace_seconds: int = Field(
        default=600,
        ge=0,
        le=600,
        description="time that a replica has to finish its open streams",
        json_schema_extra={"unit": "s"},
    )

    @property
    def cpu(self) -> float:
        """vCPU of one replica."""
        return self.litellm.cpu + self.envoy.cpu

    @property
    def memory_gib(self) -> float:
        """Memory of one replica, GiB."""
        return self.litellm.memory_gib + self.envoy.memory_gib

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [*self._find_replica_problems(), *self._find_size_problems()]
        if problems:
            raise refuse(*problems)
        return self

    def _find_replica_problems(self) -> Iterator[Problem]:
        if self.min_replicas > self.max_replicas:
            yield Problem(
                f"is {self.min_replicas}; must not be above max_replicas, which is {self.max_replicas}",
                (("min_replicas",), ("max_replicas",)),
            )

    def _find_size_problems(self) -> Iterator[Problem]:
        # The Consumption profile has pairs from 0.25 vCPU / 0.5 GiB to 4 / 8; azurerm does not check them.
        if self.cpu > 4:
            yield Problem(
                f"gives a replica {self.cpu:g} vCPU in all (litellm and envoy); must be at most 4",
                (("litellm", "cpu"), ("envoy", "cpu")),
            )
        if self.memory_gib != 2 * self.cpu:
            yield Problem(
                f"gives a replica {self.memory_gib:g} GiB in all (litellm and envoy); "
                f"must be {2 * self.cpu:g}: Azure takes only 2 GiB for each vCPU, and there are {self.cpu:g}",
                (
                    ("litellm", "memory_gib"),
                    ("envoy", "memory_gib"),
                    ("litellm", "cpu"),
                    ("envoy", "cpu"),
                ),
            )


class Ingress(Group):
    """Who may reach the gateway at all."""

    allowed_ip_ranges: Annotated[tuple[AddressRange, ...], Field(strict=False)] = Field(
        default=(),
        description="addresses that may connect, that from which a deployment is tried among them (GitHub's runners "
        "have no fixed ones); empty: every address",
    )

    @model_validator(mode="after")
    def _check_repeats(self) -> Self:
        for index, text in enumerate(self.allowed_ip_ranges):
            if text in self.allowed_ip_ranges[:index]:
                raise refuse(
                    Problem(f"is '{text}', which stands there already", (("allowed_ip_ranges", index),))
                )
        return self


class FrontDoor(Group):
    """Azure Front Door with a firewall, before the gateway, which is then reached through it alone."""

    enabled: bool = Field(
        default=False, description="whether it is there; its private link is approved by hand: docs/deploy.md"
    )
    requests_per_minute: int = Field(
        default=600,
        ge=10,
        le=1_000_000,
        description="requests that one client address may send in a minute",
        json_schema_extra={"unit": "requests / min"},
    )


class Network(Group):
    """A virtual network of the environment's own; to change it makes the environment anew, with another address."""

    enabled: bool = Field(default=False, description="whether the environment stands in a virtual network")
    address_range: PrivateRange = Field(
        default="10.42.0.0/24", description="addresses of the network; half of them are for replicas"
    )
    private_vault: bool = Field(
        default=False,
        description="whether the Key Vault is reached from the network only, and from `vault_ip_ranges`",
    )
    vault_ip_ranges: Annotated[tuple[AddressRange, ...], Field(strict=False)] = Field(
        default=(), description="addresses from where a private Key Vault is reached too: who deploys"
    )

    @model_validator(mode="after")
    def _check_vault(self) -> Self:
        if self.private_vault and not self.enabled:
            raise refuse(
                Problem(
                    "is true, and there is no network to reach the vault from; must be false, "
                    "or network.enabled true",
                    (("private_vault",), ("enabled",)),
                )
            )
        return self


class SecretVersions(Group):
    """How often the secrets that are no client's have been replaced; a client's key moves to its other slot."""

    azure_openai_endpoint: SecretVersion = 1
    azure_openai_key: SecretVersion = 1
    litellm_master_key: SecretVersion = 1
    litellm_salt_key: SecretVersion = 1


class LatencyAlert(Group):
    """The slowest that 95 of 100 answers may begin before an alert is raised."""

    responses_seconds: int = Field(
        default=120,
        gt=0,
        le=3600,
        description="first byte of /v1/responses and /v1/chat/completions that raises an alert, "
        "if 5 in 100 are slower",
        json_schema_extra={"unit": "s"},
    )
    embeddings_seconds: int = Field(
        default=10,
        gt=0,
        le=600,
        description="first byte of /v1/embeddings that raises an alert, if 5 in 100 are slower",
        json_schema_extra={"unit": "s"},
    )


class Observability(Group):
    """Logs and alerts."""

    log_retention_days: int = Field(
        default=30, ge=30, le=730, description="how long logs are kept", json_schema_extra={"unit": "days"}
    )
    daily_cap_gb: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="logs taken in a day before the rest is dropped; none: no cap",
        json_schema_extra={"unit": "GB / day"},
    )
    application_insights: bool = Field(default=False, description="whether Application Insights is made too")
    alerts: bool = Field(default=True, description="whether alerts are made; each costs a little every month")
    alert_emails: Annotated[tuple[EmailAddress, ...], Field(strict=False)] = Field(
        default=(),
        description="who gets the alerts, and is told of the budget; none: the subscription's owners",
    )
    latency: LatencyAlert = Field(default=LatencyAlert(), description="answers that are too slow")
    monthly_budget: float | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        description="cost of a month at 80 % and 100 % of which, and when it is foreseen, people are told; "
        "none: no budget",
        json_schema_extra={"unit": "the subscription's currency"},
    )


class Promotion(Group):
    """What lets a release into the environment."""

    evidence_max_age_hours: int = Field(
        default=168,
        gt=0,
        le=8760,
        description="how long the environment before counts as proven; then it is tried again",
        json_schema_extra={"unit": "h"},
    )


class NameOverrides(Group):
    """Names to use where the convention's own is taken by somebody else, or too long.

    `aigateway.names` checks them, by the rules of the names that it makes.
    """

    key_vault: Annotated[str, Allowed("3 to 24 letters, digits and single hyphens")] | None = Field(
        default=None, description="name of the Key Vault, unique in all of Azure"
    )
    storage_account: Annotated[str, Allowed("3 to 24 lower-case letters and digits")] | None = Field(
        default=None, description="name of the storage account, unique in all of Azure"
    )
    container_app: Annotated[str, Allowed("2 to 32 lower-case letters, digits and single hyphens")] | None = (
        Field(default=None, description="name of the Container App")
    )


class Settings(Group):
    """Everything that may differ between environments, and no secret."""

    environment: EnvironmentName = Field(description="name of the environment, as its folder is called")
    project: ProjectName = Field(
        default="aigateway", description="part of every name, so that several gateways stand side by side"
    )
    location: Location = Field(default=Location(), description="where the resources stand")
    azure: Azure = Field(default=Azure(), description="what the gateway talks to")
    images: Images = Field(default=Images(), description="the two parts of the gateway")
    clients: Annotated[tuple[Client, ...], Field(strict=False)] = Field(
        min_length=1, description="the downstream projects and people, each with its own key"
    )
    limits: Limits = Field(default=Limits(), description="limits of the whole environment")
    retries: Retries = Field(default=Retries(), description="what is tried again")
    timeouts: Timeouts = Field(default=Timeouts(), description="how long is waited for Azure")
    request_body_limit_mib: int = Field(
        default=8,
        gt=0,
        le=64,
        description="largest request body; a larger one gets 413",
        json_schema_extra={"unit": "MiB"},
    )
    scale: Scale = Field(default=Scale(), description="how many replicas run, and how large one is")
    ingress: Ingress = Field(default=Ingress(), description="who may reach the gateway at all")
    observability: Observability = Field(default=Observability(), description="logs and alerts")
    front_door: FrontDoor = Field(
        default=FrontDoor(), description="Azure Front Door with a firewall, before the gateway"
    )
    network: Network = Field(
        default=Network(),
        description="a virtual network of the environment's own; to change it makes the environment anew",
    )
    secret_versions: SecretVersions = Field(
        default=SecretVersions(),
        description="how often each secret that is no client's has been replaced: docs/deploy.md",
    )
    promotion: Promotion = Field(default=Promotion(), description="what lets a release into the environment")
    names: NameOverrides = Field(default=NameOverrides(), description="names that differ from the convention")

    def endpoint_limit(self, endpoint: Endpoint) -> EndpointLimit:
        """The environment's limit of an endpoint."""
        return self.limits.responses if endpoint == "responses" else self.limits.embeddings

    def client_limit(self, client: Client, endpoint: Endpoint) -> RateLimit:
        """The environment's limit of a client at an endpoint: its own, or its share of the endpoint's."""
        own = client.limits.responses if endpoint == "responses" else client.limits.embeddings
        return own or self._default_client_limit(endpoint)

    def _default_client_limit(self, endpoint: Endpoint) -> RateLimit:
        whole = self.endpoint_limit(endpoint)
        # 0.29 x 100 is 28.999… in binary.
        share = Decimal(str(self.limits.client_share))
        # Not checked yet when the checks below ask for it.
        return RateLimit.model_construct(
            requests_per_minute=int(whole.requests_per_minute * share), burst=int(whole.burst * share)
        )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [
            *self._find_repeated_clients(),
            *self._find_lost_limits(),
            *self._find_client_problems(),
            *self._find_memory_problems(),
        ]
        if problems:
            raise refuse(*problems)
        return self

    def _find_repeated_clients(self) -> Iterator[Problem]:
        names = [client.name for client in self.clients]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Problem(
                    f"is '{name}', as clients[{names.index(name)}] is; each client needs a name of its own",
                    (("clients", index, "name"),),
                )

    def _find_lost_limits(self) -> Iterator[Problem]:
        for endpoint in ENDPOINTS:
            limit = self.endpoint_limit(endpoint)
            lost = list(_find_lost_shares(limit, self.scale.max_replicas))
            for name, message in lost:
                yield Problem(message, (("limits", endpoint, name), ("scale", "max_replicas")))
            if not lost:
                yield from self._find_lost_client_share(endpoint)

    def _find_lost_client_share(self, endpoint: Endpoint) -> Iterator[Problem]:
        share = self._default_client_limit(endpoint)
        for name, message in _find_lost_shares(share, self.scale.max_replicas):
            yield Problem(
                f"is {self.limits.client_share:g}, too little of limits.{endpoint}: "
                f"a client's {name} {message}",
                (
                    ("limits", "client_share"),
                    ("limits", endpoint, name),
                    ("limits", endpoint),
                    ("scale", "max_replicas"),
                ),
            )

    def _find_client_problems(self) -> Iterator[Problem]:
        for index, client in enumerate(self.clients):
            for endpoint in ENDPOINTS:
                own = getattr(client.limits, endpoint)
                if own is not None:
                    for name, message in self._find_own_limit_problems(own, endpoint):
                        yield Problem(message, (("clients", index, "limits", endpoint, name),))

    def _find_own_limit_problems(self, own: RateLimit, endpoint: Endpoint) -> Iterator[tuple[str, str]]:
        whole = self.endpoint_limit(endpoint)
        for name in RateLimit.model_fields:
            declared, most = getattr(own, name), getattr(whole, name)
            if declared > most:
                yield name, f"is {declared}; must not be above limits.{endpoint}.{name}, which is {most}"
        yield from _find_lost_shares(own, self.scale.max_replicas)

    def _find_memory_problems(self) -> Iterator[Problem]:
        needed = ENVOY_IDLE_MIB + ENVOY_MIB_FOR_BODY_MIB * self.request_body_limit_mib
        room = self.scale.envoy.memory_gib * 1024
        if needed > room:
            most = int((room - ENVOY_IDLE_MIB) / ENVOY_MIB_FOR_BODY_MIB)
            yield Problem(
                f"is {self.request_body_limit_mib}; must be at most {most}, or scale.envoy.memory_gib more than "
                f"{self.scale.envoy.memory_gib:g}: to read such a body can take Envoy {needed / 1024:.2g} GiB",
                (("request_body_limit_mib",), ("scale", "envoy", "memory_gib")),
            )


def _find_lost_shares(limit: RateLimit, replicas: int) -> Iterator[tuple[str, str]]:
    """Each field of a limit of which a replica's share would not be a limit any more, and why."""
    share = limit.divide(replicas)
    among = f"over {replicas} replicas " if replicas > 1 else ""
    for name in type(limit).model_fields:
        if getattr(share, name) < 1:
            yield name, f"is {getattr(limit, name)}, which {among}leaves none; must be at least {replicas}"
    if 1 <= share.requests_per_minute <= share.burst:
        message = (
            f"is {limit.burst}, which {among}leaves {share.burst} at once of "
            f"{share.requests_per_minute} a minute; must be lower, or requests_per_minute higher"
        )
        yield "burst", message
