"""What an environment costs, by hand and by the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigateway.costs import (
    LOG_ALERTS,
    METRIC_ALERTS,
    PRICES_PATH,
    PROBES_A_SECOND,
    PriceList,
    estimate_cost,
    load_prices,
    render_costs,
)
from aigateway.errors import AigatewayError
from aigateway.settings.loading import load_environment
from aigateway.settings.model import Settings

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def prices() -> PriceList:
    return load_prices(ROOT)


def make(**changes: Any) -> Settings:
    return Settings.model_validate({"environment": "dev", "clients": [{"name": "roo"}], **changes})


def test_an_idle_environment_that_scales_to_zero_costs_its_alerts_alone(prices: PriceList) -> None:
    cost = estimate_cost(make(), prices, 0)
    assert cost.gateway == cost.alerts == 9 * 0.50 + 1 * 0.10
    assert cost.tokens == 0
    assert estimate_cost(make(observability={"alerts": False}), prices, 0).gateway == 0


def test_a_replica_that_always_runs_costs_its_idle_price_day_and_night(prices: PriceList) -> None:
    cost = estimate_cost(make(scale={"min_replicas": 1}), prices, 0)
    assert cost.replicas == pytest.approx(730 * 3600 * (1 * 0.000003 + 2 * 0.000003))
    assert cost.logs == pytest.approx(730 * 3600 * 0.25 * 1000 / 1e9 * 2.30)
    assert cost.alerts == pytest.approx(10 * 0.50 + 1 * 0.10)


def test_a_person_costs_the_active_price_while_working(prices: PriceList) -> None:
    cost = estimate_cost(make(), prices, 1)
    assert cost.replicas == pytest.approx(168 * 3600 * (1 * 0.000024 + 2 * 0.000003))
    assert cost.requests == pytest.approx(168 * 60 * 0.40 / 1e6)
    probes = 168 * 3600 * 0.25
    assert cost.logs == pytest.approx((168 * 60 * 2000 + probes * 1000) / 1e9 * 2.30)
    input_price = 0.8 * 0.175 + 0.2 * 1.75
    assert cost.tokens == pytest.approx(168 * 60 * (0.03 * input_price + 0.0008 * 14) + 21 * 0.2 * 0.143)


def test_more_replicas_run_when_one_has_too_much_to_do(prices: PriceList) -> None:
    # A third of 20 people asks at once: seven requests.
    for trigger, most, running in ((7, 3, 1), (6, 3, 2), (1, 3, 3), (1, 8, 7)):
        scale = {"concurrent_requests": trigger, "max_replicas": most}
        cost = estimate_cost(make(scale=scale), prices, 20)
        assert cost.replicas == pytest.approx(running * 168 * 3600 * 0.00003)


def test_switches_cost_what_azure_asks_for_them(prices: PriceList) -> None:
    network = {"enabled": True, "private_vault": True}
    assert estimate_cost(make(network=network), prices, 0).switches == pytest.approx(7.30)
    assert estimate_cost(make(front_door={"enabled": True}), prices, 0).switches == 330


@given(people=st.integers(0, 200), least=st.integers(0, 3), most=st.integers(3, 10))
def test_nothing_is_cheaper_with_more_people_or_replicas(people: int, least: int, most: int) -> None:
    prices = load_prices(ROOT)

    def price(people: int, least: int) -> float:
        scale = {"min_replicas": least, "max_replicas": most}
        return estimate_cost(make(scale=scale), prices, people).gateway

    assert (
        price(people, least)
        <= price(people + 1, least)
        <= price(people + 1, least + 1 if least < most else least)
    )


def test_as_many_alerts_are_counted_as_terraform_makes() -> None:
    text = (ROOT / "infra/modules/aigateway_aca/alerts.tf").read_text()
    assert len(re.findall(r"^    [a-z-]+ = \{", text, re.MULTILINE)) == LOG_ALERTS
    assert text.count("wanted = var.scale.min_replicas > 0") == 1
    assert text.count('resource "azurerm_monitor_metric_alert"') == METRIC_ALERTS
    assert 'evaluation_frequency = "PT15M"' in text


def test_as_many_probes_are_counted_as_envoy_is_asked() -> None:
    text = (ROOT / "infra/modules/aigateway_aca/app.tf").read_text()
    probes = re.findall(r"(?:liveness|readiness)_probe \{\n((?: {8}.*\n)+)", text)
    logged = [probe for probe in probes if '"/healthz"' in probe]
    seconds = [int(re.search(r"interval_seconds += (\d+)", probe)[1]) for probe in logged]
    assert sum(1 / each for each in seconds) == pytest.approx(PROBES_A_SECOND)


def test_the_page_has_each_environment_idle_and_with_1_and_20_people(prices: PriceList) -> None:
    page = render_costs(prices, [load_environment(ROOT, "dev"), load_environment(ROOT, "prod")])
    assert "| dev | 0 to 1 | idle | 0.00 |" in page
    assert "| prod | 1 to 3 | 20 |" in page
    assert "23 November 2026" in page


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "gib_second: 0.000003",
            "gib_second: cheap",
            "container_apps.gib_second: input should be a valid number",
        ),
        ("gib_second: 0.000003", "gib_secnd: 0.000003", "container_apps.gib_second: field required"),
        ("checked: 2026-11-23", "checked: [", "is no YAML"),
    ],
)
def test_a_spoilt_price_list_says_where(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / PRICES_PATH
    path.parent.mkdir()
    text = (ROOT / PRICES_PATH).read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(AigatewayError, match=re.escape(message)):
        load_prices(tmp_path)


def test_a_missing_price_list_says_so(tmp_path: Path) -> None:
    with pytest.raises(AigatewayError, match="cannot be read: No such file"):
        load_prices(tmp_path)
