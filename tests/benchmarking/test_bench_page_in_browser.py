"""The page of a run in a real browser, by day and by night, on a large screen and on a phone.

See tests/browser.py for what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import open_browser
from made_results import BUSY, make_records, make_result, make_slice
from selenium import webdriver

from aigateway.benchmarking.page import render_page

_SIZES = {"desktop": (1280, 900), "phone": (360, 740)}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with open_browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = make_records()
    records[3].slices[BUSY][0] = make_slice([1], failures={"status 500: " + "it broke " * 20: 2})
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_page(make_result(records)), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["by day", "by night"])
@pytest.mark.parametrize("size", _SIZES)
def test_it_opens_fits_and_complains_of_nothing(
    driver: webdriver.Chrome, page: Path, size: str, *, dark: bool
) -> None:
    width, height = _SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [scheme]})
    driver.get_log("browser")
    driver.get(page.as_uri())
    assert driver.title == "dev: Adds 19 ms"
    assert driver.get_log("browser") == [], "its policy lets in all that it has"
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    brightness = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert (max(driver.execute_script(brightness)) < 60) == dark
    bars = driver.execute_script(
        "return [...document.querySelectorAll('.rows .bar')].map(one => one.getBoundingClientRect().width)"
    )
    assert len(bars) > 5
    assert all(0 < one < width for one in bars)
    hues = driver.execute_script(
        "return ['.stock .bar', '.gateway .bar', '.variant .bar']"
        ".map(one => getComputedStyle(document.querySelector(one)).stroke)"
    )
    assert len(set(hues)) == 3
