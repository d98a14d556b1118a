"""The page as a person meets it: in a real browser, on a large screen and on a phone, by day and by night, by keyboard.

See tests/browser.py for what it needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import open_browser
from made_up import NAMES, make_findings
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from aigateway.reporting.page import render_page

_DESKTOP = (1280, 900)
_PHONE = (360, 740)
_OPEN_ALL = "for (const one of document.querySelectorAll('details')) one.open = true"

# What WCAG 2.2 (1.4.3) asks for; large is 24 px and more.
_CONTRASTS = """
const blend = (over, under) => over.slice(0, 3).map((c, i) => c * over[3] + under[i] * (1 - over[3])).concat(1);
const context = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const read = (color) => {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const widen = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => [r, g, b].map((c) => widen(c / 255))
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const backdrop = (element) => {
  if (!element) return [255, 255, 255, 1];
  const own = read(getComputedStyle(element).backgroundColor);
  return own[3] === 1 ? own : blend(own, backdrop(element.parentElement));
};
const poor = [];
for (const element of document.querySelectorAll("body *")) {
  const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
  const style = getComputedStyle(element);
  if (!text || !element.checkVisibility() || ["SCRIPT", "STYLE", "OPTION"].includes(element.tagName)) continue;
  const under = backdrop(element);
  const ink = read(style.color);
  ink[3] *= Number(style.opacity);
  const [a, b] = [light(blend(ink, under)), light(under)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const least = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
  if (ratio < least) poor.push(`${element.className || element.tagName} "${text.slice(0, 30)}": ${ratio.toFixed(2)}`);
}
return poor;
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with open_browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


class Reader:
    """Somebody who looks at the page."""

    def __init__(self, driver: webdriver.Chrome, page: Path) -> None:
        self.driver = driver
        self.page = page

    def open(self, size: tuple[int, int] = _DESKTOP, *, dark: bool = False, scripts: bool = True) -> None:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._command("Emulation.setDeviceMetricsOverride", **metrics)
        features = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        self._see("", features)
        self._command("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(self.page.as_uri())

    def print(self) -> None:
        """See it as it is on paper."""
        self._see("print", {})

    def _see(self, media: str, features: dict[str, str]) -> None:
        wanted = [{"name": name, "value": value} for name, value in features.items()]
        self._command("Emulation.setEmulatedMedia", media=media, features=wanted)

    def _command(self, name: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, parameters)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        for key in keys:
            ActionChains(self.driver, duration=0).send_keys(key).perform()

    @property
    def focused(self) -> WebElement:
        return self.driver.switch_to.active_element

    @property
    def shown(self) -> set[str]:
        """The names of the scenarios that the filters leave."""
        titles = self.driver.find_elements(By.CSS_SELECTOR, ".story:not([hidden]) .title")
        return {title.get_property("textContent") for title in titles}

    def list_nameless(self) -> list[str]:
        """What somebody who cannot see the page is told nothing of."""
        self._command("Accessibility.enable")
        nodes = self._command("Accessibility.getFullAXTree")["nodes"]
        roles = {
            "searchbox",
            "combobox",
            "button",
            "link",
            "image",
            "heading",
            "region",
            "DisclosureTriangle",
        }
        return [
            json.dumps(node["role"])
            for node in nodes
            if not node["ignored"]
            and node["role"]["value"] in roles
            and not node.get("name", {}).get("value", "").strip()
        ]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_page(make_findings(aborted="for the test")), encoding="utf-8")
    return path


@pytest.fixture
def reader(driver: webdriver.Chrome, page: Path) -> Reader:
    reader = Reader(driver, page)
    reader.open()
    return reader


def test_it_opens_with_nothing_to_complain_of_and_asks_nobody_for_anything(reader: Reader) -> None:
    reader.run(_OPEN_ALL)
    reader.press("/", "a")
    assert reader.driver.title == "dev: Not finished"
    assert reader.driver.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in reader.driver.get_log("performance")]
    asked = [
        one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("data:")] == [reader.page.as_uri()]


@pytest.mark.parametrize("dark", [False, True], ids=["by day", "by night"])
@pytest.mark.parametrize("size", [_PHONE, (768, 1024), _DESKTOP], ids=["phone", "tablet", "desktop"])
def test_nothing_is_wider_than_the_screen(reader: Reader, size: tuple[int, int], *, dark: bool) -> None:
    reader.open(size, dark=dark)
    reader.run(_OPEN_ALL)
    assert reader.run("return document.documentElement.scrollWidth") <= size[0]
    sizes = reader.run(
        "return [...document.querySelectorAll('body *')].map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 12


@pytest.mark.parametrize("dark", [False, True], ids=["by day", "by night"])
def test_every_text_can_be_read(reader: Reader, *, dark: bool) -> None:
    reader.open(dark=dark)
    reader.run(_OPEN_ALL)
    assert reader.run(_CONTRASTS) == []


def test_by_night_it_is_dark(reader: Reader) -> None:
    brightness = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert min(reader.run(brightness)) > 200
    reader.open(dark=True)
    assert max(reader.run(brightness)) < 60
    reader.print()
    assert min(reader.run(brightness)) > 200, "paper is white"


def test_somebody_who_cannot_see_it_is_told_what_everything_is(reader: Reader) -> None:
    reader.run(_OPEN_ALL)
    assert reader.list_nameless() == []
    assert reader.run("return document.documentElement.lang") == "en"
    assert len(reader.driver.find_elements(By.CSS_SELECTOR, "h1")) == 1


# --- by keyboard


def test_the_first_thing_is_a_way_past_everything_else(reader: Reader) -> None:
    reader.press(Keys.TAB)
    assert reader.focused.text == "Skip to the scenarios"
    assert reader.focused.rect["y"] >= 0
    reader.press(Keys.ENTER, Keys.TAB)
    assert reader.focused.get_attribute("id") == "words"


def test_words_are_looked_for_as_they_are_typed(reader: Reader) -> None:
    said = reader.find("output")
    assert said.text == "6 scenarios"
    reader.press("/")
    assert reader.focused.get_attribute("id") == "words"
    reader.press(*"STORM vector")
    assert reader.shown == {"A vector"}
    assert said.text == "1 of 6 scenarios"
    reader.press(Keys.ESCAPE)
    assert reader.shown == set(NAMES)
    reader.press(*"id-3-1")
    assert reader.shown == {"A storm"}, "what was said in an exchange is found too"
    reader.press(*" nowhere")
    assert reader.shown == set()
    assert reader.find(".nothing").is_displayed()
    assert not reader.find(".chapter").is_displayed()


@pytest.mark.parametrize(
    ("name", "typed", "expected"),
    [
        ("verdict", "harness", {"A second thought"}),
        ("verdict", "passed", {"An answer", "A vector", "A storm"}),
        ("requirement", "FR5", {"A vector", "A storm", "No Azure here"}),
        ("profile", "codex", {"An answer"}),
    ],
)
def test_each_filter_works_by_keyboard(reader: Reader, name: str, typed: str, expected: set[str]) -> None:
    reader.press("/")
    for _ in range(5):
        reader.press(Keys.TAB)
        if reader.focused.get_attribute("id") == name:
            break
    assert reader.focused.get_attribute("id") == name
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert reader.run(outline) != "none", "where the focus is can be seen"
    reader.press(*typed)
    assert reader.shown == expected
    while reader.focused.tag_name != "button":
        reader.press(Keys.TAB)
    reader.press(Keys.ENTER)
    assert reader.shown == set(NAMES)


def test_filters_work_together(reader: Reader) -> None:
    reader.find("#requirement").send_keys("FR5")
    reader.find("#verdict").send_keys("skipped")
    assert reader.shown == {"No Azure here"}
    reader.find("#words").send_keys("answer ")
    assert reader.shown == {"No Azure here"}
    reader.find("#words").send_keys("zzz")
    assert reader.shown == set()


def test_a_scenario_is_opened_by_keyboard(reader: Reader) -> None:
    story = reader.find(".story")
    story.find_element(By.CSS_SELECTOR, "summary").send_keys(Keys.ENTER)
    assert story.get_attribute("open")
    assert story.find_element(By.CSS_SELECTOR, ".scenes").is_displayed()


# --- from one place to another


def test_a_failure_leads_to_its_scenario_even_if_that_is_filtered_away(reader: Reader) -> None:
    reader.find("#verdict").send_keys("passed")
    reader.find(".troubles h3 a").click()
    story = reader.find(".story.failed")
    assert story.is_displayed()
    assert story.get_attribute("open")
    assert reader.focused.tag_name == "summary"
    assert reader.run("return arguments[0].getBoundingClientRect().top >= 0", reader.focused)


def test_a_requirement_leads_to_its_scenarios(reader: Reader) -> None:
    reader.find("[data-requirement=FR5]").send_keys(Keys.ENTER)
    assert reader.shown == {"A vector", "A storm", "No Azure here"}


def test_an_address_with_a_scenario_opens_it(reader: Reader) -> None:
    anchor = reader.run("return document.querySelector('.story.failed .inside').id")
    reader.driver.get("about:blank")
    reader.driver.get(f"{reader.page.as_uri()}#{anchor}")
    assert reader.find(".story.failed").get_attribute("open")


# --- without scripts, and on paper


def test_without_scripts_everything_is_there_but_the_filters(reader: Reader) -> None:
    reader.open(scripts=False)
    assert not reader.find(".filters").is_displayed()
    reader.find(".story summary").click()
    assert reader.find(".story .scenes").is_displayed()
    reader.find(".troubles h3 a").click()
    assert reader.find(".story.failed .scenes").is_displayed(), (
        "the browser itself opens what a link leads to"
    )
    reader.open()


def test_on_paper_there_is_nothing_to_press(reader: Reader) -> None:
    reader.print()
    assert not reader.find(".filters").is_displayed()
    assert reader.find(".troubles").is_displayed()
    assert reader.find(".story .title").is_displayed()
