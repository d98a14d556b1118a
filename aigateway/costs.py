"""What an environment costs a month: its settings, times the prices and the working day of infra/prices.yaml."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat, ValidationError

from aigateway.errors import AigatewayError
from aigateway.secret_values import list_secret_names
from aigateway.settings.model import Settings

PRICES_PATH = Path("infra/prices.yaml")

#: People who use an environment in the columns of the page.
CROWDS = (0, 1, 20)

#: As infra/modules/aigateway_aca/alerts.tf makes them; one of those from the logs where a replica always runs.
LOG_ALERTS = 10
METRIC_ALERTS = 1

#: Resources of the module: always there, and behind each switch; tests/terraform counts them in each root's plan.
_RESOURCES = 19
_FRONT_DOOR_RESOURCES = 8
_NETWORK_RESOURCES = 4
_PRIVATE_VAULT_RESOURCES = 5

#: Probes of one replica that Envoy logs, as infra/modules/aigateway_aca/app.tf has them: 1 in 5 s, and 1 in 20.
PROBES_A_SECOND = 1 / 5 + 1 / 20

_HOURS_A_MONTH = 730
_FREE_RETENTION_DAYS = 31
_DAYS_A_MONTH = 30


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ContainerAppsPrices(_Group):
    """Of the Consumption plan."""

    vcpu_second_active: PositiveFloat
    vcpu_second_idle: PositiveFloat
    gib_second: PositiveFloat
    requests_million: PositiveFloat
    free_vcpu_seconds: NonNegativeFloat
    free_gib_seconds: NonNegativeFloat
    free_requests_million: NonNegativeFloat


class LogPrices(_Group):
    """Of Log Analytics."""

    ingested_gb: PositiveFloat
    retained_gb_month: PositiveFloat


class AlertPrices(_Group):
    """Of rules that are looked at each quarter of an hour (logs) and each five minutes (metrics)."""

    log_rule_month: PositiveFloat
    metric_rule_month: PositiveFloat


class TokenPrices(_Group):
    """Of a million."""

    input: PositiveFloat
    cached_input: PositiveFloat
    output: PositiveFloat
    embedded: PositiveFloat


class Person(_Group):
    """What somebody does who codes with an assistant."""

    hours_a_day: PositiveFloat
    days_a_month: PositiveFloat
    requests_an_hour: PositiveFloat
    seconds_a_request: PositiveFloat
    input_tokens_a_request: PositiveFloat
    cached_share: NonNegativeFloat
    output_tokens_a_request: PositiveFloat
    embedded_tokens_a_day: NonNegativeFloat
    log_bytes_a_request: PositiveFloat

    @property
    def hours(self) -> float:
        """Working hours a month."""
        return self.hours_a_day * self.days_a_month

    @property
    def requests(self) -> float:
        """Requests a month."""
        return self.hours * self.requests_an_hour

    @property
    def busy_share(self) -> float:
        """The part of the working time in which a request is under way."""
        return self.requests_an_hour * self.seconds_a_request / 3600


class PriceList(_Group):
    """Prices in US dollars, when they were checked, and what they are multiplied by."""

    checked: datetime.date
    sources: tuple[str, ...]
    container_apps: ContainerAppsPrices
    logs: LogPrices
    alerts: AlertPrices
    key_vault_10000_operations: PositiveFloat
    front_door_premium_month: PositiveFloat
    private_endpoint_hour: PositiveFloat
    log_bytes_a_probe: PositiveFloat
    tokens_million: TokenPrices
    person: Person


def load_prices(root: Path) -> PriceList:
    """The checkout's price list; raises AigatewayError when it is not there or not one."""
    path = root / PRICES_PATH
    try:
        return PriceList.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise AigatewayError(f"{path}: is no YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise AigatewayError(f"{path}: {key}: {first['msg'].lower()}") from error


@dataclass(frozen=True)
class Cost:
    """What one environment costs a month, in US dollars; without the free amounts, which a subscription has once."""

    replicas: float
    requests: float
    logs: float
    alerts: float
    switches: float
    tokens: float

    @property
    def gateway(self) -> float:
        """All but the tokens."""
        return self.replicas + self.requests + self.logs + self.alerts + self.switches


def estimate_cost(settings: Settings, prices: PriceList, people: int) -> Cost:
    """The month of `people` who work at the same hours."""
    person = prices.person
    requests = person.requests * people
    return Cost(
        replicas=_price_replicas(settings, prices, people),
        requests=requests / 1e6 * prices.container_apps.requests_million,
        logs=_price_logs(settings, prices, requests, people),
        alerts=_price_alerts(settings, prices),
        switches=_price_switches(settings, prices),
        tokens=_price_tokens(prices, requests, person.days_a_month * people),
    )


def _price_replicas(settings: Settings, prices: PriceList, people: int) -> float:
    scale, rates = settings.scale, prices.container_apps
    memory = scale.memory_gib * rates.gib_second
    active = scale.cpu * rates.vcpu_second_active + memory
    idle = scale.cpu * rates.vcpu_second_idle + memory
    # Azure charges what is above the minimum as active, and the rest so only while there is something to do.
    working, quiet = _count_replica_seconds(settings, prices, people)
    return active * working + idle * quiet


def _count_replica_seconds(settings: Settings, prices: PriceList, people: int) -> tuple[float, float]:
    """Replicas times seconds of a month, in working hours and out of them."""
    scale, person = settings.scale, prices.person
    if not people:
        return 0, scale.min_replicas * _HOURS_A_MONTH * 3600
    at_once = people * person.busy_share
    busy = min(max(1, math.ceil(at_once / scale.concurrent_requests)), scale.max_replicas)
    working = person.hours * 3600
    quiet = _HOURS_A_MONTH * 3600 - working
    return max(busy, scale.min_replicas) * working, scale.min_replicas * quiet


def _price_logs(settings: Settings, prices: PriceList, requests: float, people: int) -> float:
    probes = sum(_count_replica_seconds(settings, prices, people)) * PROBES_A_SECOND
    gigabytes = (requests * prices.person.log_bytes_a_request + probes * prices.log_bytes_a_probe) / 1e9
    extra = max(0, settings.observability.log_retention_days - _FREE_RETENTION_DAYS) / _DAYS_A_MONTH
    return gigabytes * (prices.logs.ingested_gb + extra * prices.logs.retained_gb_month)


def _price_alerts(settings: Settings, prices: PriceList) -> float:
    if not settings.observability.alerts:
        return 0
    return (
        _count_log_alerts(settings) * prices.alerts.log_rule_month
        + METRIC_ALERTS * prices.alerts.metric_rule_month
    )


def _count_log_alerts(settings: Settings) -> int:
    # That a replica is ready is asked only where one always is.
    return LOG_ALERTS if settings.scale.min_replicas else LOG_ALERTS - 1


def _price_switches(settings: Settings, prices: PriceList) -> float:
    front_door = prices.front_door_premium_month if settings.front_door.enabled else 0
    private = settings.network.enabled and settings.network.private_vault
    return front_door + (prices.private_endpoint_hour * _HOURS_A_MONTH if private else 0)


def _price_tokens(prices: PriceList, requests: float, days: float) -> float:
    person, rates = prices.person, prices.tokens_million
    input_price = person.cached_share * rates.cached_input + (1 - person.cached_share) * rates.input
    millions = requests / 1e6
    return (
        millions * person.input_tokens_a_request * input_price
        + millions * person.output_tokens_a_request * rates.output
        + days * person.embedded_tokens_a_day / 1e6 * rates.embedded
    )


def count_resources(settings: Settings) -> int:
    """How many resources a first plan of an environment makes."""
    observability, network = settings.observability, settings.network
    return sum(
        (
            _RESOURCES,
            len(list_secret_names(settings)),
            _count_log_alerts(settings) + METRIC_ALERTS if observability.alerts else 0,
            observability.monthly_budget is not None,
            observability.application_insights,
            _FRONT_DOOR_RESOURCES * settings.front_door.enabled,
            _NETWORK_RESOURCES * network.enabled,
            _PRIVATE_VAULT_RESOURCES * network.private_vault,
        )
    )


def render_costs(prices: PriceList, environments: Sequence[Settings]) -> str:
    """The page docs/cost.md."""
    return "\n".join(_list_lines(prices, environments)) + "\n"


def _list_lines(prices: PriceList, environments: Sequence[Settings]) -> Iterator[str]:
    person = prices.person
    yield from (
        "# What it costs",
        "",
        f"<!-- Generated from {PRICES_PATH} and the settings by `aigateway docs`. -->",
        "",
        f"US dollars a month, list prices as of {prices.checked:%d %B %Y}; your region and your agreement change them.",
        f"Prices, their sources and what is assumed of a person stand in [{PRICES_PATH}](../{PRICES_PATH}):",
        f"{person.hours_a_day:g} hours on {person.days_a_month:g} days, {person.requests_an_hour:g} requests an hour",
        f"of {person.seconds_a_request:g} s each. **Tokens** are what the models cost: the gateway adds nothing.",
        "",
        "| environment | replicas | people | replicas' time | requests | logs | alerts | switches | gateway | tokens |",
        "|---|---|---|---|---|---|---|---|---|---|",
    )
    for settings in environments:
        for people in CROWDS:
            yield _render_row(settings, estimate_cost(settings, prices, people), people)
    yield from ("", "## Scale to zero", "")
    yield from (
        "The same environments with no replica at rest, and with one that always runs. With none, the first request",
        "after a quiet time (`scale.cooldown_seconds`) waits for a start.",
        "",
        "| environment | people | from 0 | from 1 | difference |",
        "|---|---|---|---|---|",
    )
    for settings in environments:
        for people in CROWDS:
            none, one = (
                estimate_cost(_change_minimum(settings, least), prices, people).gateway for least in (0, 1)
            )
            yield f"| {settings.environment} | {_name(people)} | {none:.2f} | {one:.2f} | {one - none:.2f} |"
    sizes = [f"{settings.environment} {count_resources(settings)}" for settings in environments]
    yield from (
        "",
        "## The plan's size",
        "",
        f"Resources that a first apply makes: {', '.join(sizes)}. Each key of a client is one of them.",
    )
    rates = prices.container_apps
    free = (
        rates.free_vcpu_seconds * rates.vcpu_second_active
        + rates.free_gib_seconds * rates.gib_second
        + rates.free_requests_million * rates.requests_million
    )
    yield from (
        "",
        "## Not in the table",
        "",
        f"- What is free each month for the whole subscription: up to {free:.2f} less, once for all environments.",
        f"- Reading secrets: {prices.key_vault_10000_operations:.2f} for 10,000 times, and a start reads a dozen.",
        f"- Where their switches are off: Front Door Premium, {prices.front_door_premium_month:.0f}, and a private",
        f"  endpoint, {prices.private_endpoint_hour * _HOURS_A_MONTH:.2f}.",
        "- Traffic between regions, and the storage of Terraform's state: some cents.",
        "",
        "## Sources",
        "",
        *(f"- {source[0].upper()}{source[1:]}." for source in prices.sources),
    )


def _render_row(settings: Settings, cost: Cost, people: int) -> str:
    scale = settings.scale
    parts = (cost.replicas, cost.requests, cost.logs, cost.alerts, cost.switches)
    return " ".join(
        (
            f"| {settings.environment} | {scale.min_replicas} to {scale.max_replicas} | {_name(people)} |",
            *(f"{part:.2f} |" for part in parts),
            f"**{cost.gateway:.2f}** | {cost.tokens:,.0f} |",
        )
    )


def _name(people: int) -> str:
    return str(people) if people else "idle"


def _change_minimum(settings: Settings, least: int) -> Settings:
    scale = settings.scale.model_copy(update={"min_replicas": least})
    return settings.model_copy(update={"scale": scale})
