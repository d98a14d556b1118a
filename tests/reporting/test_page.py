"""The page as text: complete, self-contained, and not to be broken out of."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest
from made_up import HOSTILE, NAMES, make_findings

from aigateway.acceptance.features import ScenarioKey
from aigateway.acceptance.findings import Findings
from aigateway.acceptance.requirements import REQUIREMENTS
from aigateway.reporting.page import render_page
from aigateway.reporting.wording import say_bytes, say_headline, say_seconds


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text without styles and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside not in {"style", "script"}:
            self.text += data

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def page() -> str:
    return render_page(make_findings())


@pytest.fixture(scope="module")
def elements(page: str) -> Elements:
    return Elements(page)


def test_it_refers_to_nothing_outside_itself(page: str, elements: Elements) -> None:
    targets = [
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in {"href", "src", "srcset", "action", "xlink:href", "poster", "data"} and value
    ]
    assert targets
    assert all(target.startswith("#") or target == "data:," for target in targets)
    assert not re.search(r"url\(|@import|https?://", page)


def test_its_policy_lets_nothing_in_but_its_own_style_and_script(page: str, elements: Elements) -> None:
    (policy,) = [meta["content"] for meta in elements.find("meta") if "http-equiv" in meta]
    assert policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(elements.find("script")) == len(elements.find("style")) == 1
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    assert not [attributes for _, attributes in elements.found if "style" in attributes]
    assert page.count("<script") == 1


def test_what_a_gateway_says_is_text_and_nothing_else(elements: Elements) -> None:
    assert HOSTILE in elements.text
    assert "49" not in re.findall(r"\{\{ 7 \* 7 \}\}|\b49\b", elements.text)


def test_each_scenario_is_there_with_its_steps_and_the_command_that_repeats_it(elements: Elements) -> None:
    for number, name in enumerate(NAMES):
        assert name in elements.text
        assert (
            f".venv/bin/pytest 'features/test_features.py::test_{number}' --environment dev" in elements.text
        )
    for words in ("nothing is left", "not reached", "failed after", "AssertionError: ", "id-2-0", "9.0 kB"):
        assert words in elements.text


def test_every_link_leads_somewhere_and_every_place_is_there_once(elements: Elements) -> None:
    places = [attributes["id"] for _, attributes in elements.found if attributes.get("id")]
    assert len(places) == len(set(places))
    links = {str(link["href"]).removeprefix("#") for link in elements.find("a") if link.get("href")}
    assert links <= set(places)


def test_every_requirement_is_there_and_says_what_proves_it(elements: Elements) -> None:
    ids = {attributes.get("id") for _, attributes in elements.found}
    assert {requirement.id for requirement in REQUIREMENTS} <= ids
    assert "no scenario in this run" in elements.text
    cells = [link for link in elements.find("a") if link.get("class") == "failed" and link.get("title")]
    assert [cell["title"] for cell in cells] == [f"Answers: {HOSTILE}"] * 2


def test_a_scenario_says_what_turns_it_red() -> None:
    page = render_page(make_findings(), {ScenarioKey(NAMES[0]): ("Every key fits", HOSTILE)})
    text = " ".join(Elements(page).text.split())
    assert text.count("Turned red by") == 1
    assert "Turned red by Every key fits, " + " ".join(HOSTILE.split()) in text


def test_floods_and_faults_are_summed_up(elements: Elements) -> None:
    text = " ".join(elements.text.split())
    assert "and 40 more requests: 40 × 429; half of them within 22 ms, the slowest 42 ms" in text
    assert "Past these, 7 more requests and 1 more faults were only counted." in text
    assert "From now on at Azure throttled, times 3" in text
    assert "All 18 faults" in text


def test_drawings_are_made_of_numbers(elements: Elements) -> None:
    paths = [str(path["d"]) for path in elements.find("path")]
    assert len(paths) > 10
    assert all(re.fullmatch(r"(?:[MHVhvz]|-?\d+(?:\.\d+)?| )*", path) for path in paths)
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in elements.find("svg"))


@pytest.mark.parametrize(
    ("findings", "headline"),
    [
        (make_findings(), "Not conformant"),
        (make_findings(conformant=True), "Conformant"),
        (make_findings(aborted=f"envoy died {HOSTILE}"), "Not finished"),
    ],
)
def test_the_verdict_is_the_headline(findings: Findings, headline: str) -> None:
    assert say_headline(findings) == headline
    elements = Elements(render_page(findings))
    assert headline in elements.text
    assert findings.aborted in elements.text


def _choose(findings: Findings, *numbers: int) -> Findings:
    scenarios = tuple(findings.result.scenarios[number] for number in numbers)
    result = findings.result.model_copy(update={"selection": "-k 'x y'", "scenarios": scenarios})
    return dataclasses.replace(findings, result=result)


@pytest.mark.parametrize(
    ("numbers", "headline"), [((0, 1), "Only a part was tried"), ((0, 2), "Not conformant")]
)
def test_a_selection_is_no_verdict_unless_something_failed(numbers: tuple[int, ...], headline: str) -> None:
    findings = _choose(make_findings(), *numbers)
    assert say_headline(findings) == headline
    assert "-k 'x y'" in Elements(render_page(findings)).text


def test_a_run_of_which_nothing_is_known_has_a_page() -> None:
    findings = _choose(make_findings(aborted="no gateway"))
    elements = Elements(render_page(dataclasses.replace(findings, records={}, commands={})))
    assert "No scenario was run." in elements.text
    assert not elements.find("svg")


def test_a_scenario_whose_worker_died_has_no_record() -> None:
    findings = make_findings()
    elements = Elements(render_page(dataclasses.replace(findings, records={})))
    assert NAMES[0] in elements.text


def test_many_failures_do_not_bury_the_rest() -> None:
    findings = _choose(make_findings(), *[2] * 30)
    assert "20 more" in Elements(render_page(findings)).text


def test_a_large_run_has_a_page_of_a_few_megabytes() -> None:
    findings = make_findings()
    some = findings.result.scenarios
    many = [one.model_copy(update={"id": f"{one.id}-{number}"}) for number in range(50) for one in some]
    records = {one.id: findings.records[one.id.rpartition("-")[0]] for one in many}
    result = findings.result.model_copy(update={"scenarios": tuple(many)})
    page = render_page(dataclasses.replace(findings, result=result, records=records))
    assert len(page) < 5_000_000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0.0002, "under 1 ms"),
        (0.0346, "35 ms"),
        (0.0996, "0.1 s"),
        (2.94, "2.9 s"),
        (53.7, "54 s"),
        (120, "2 min"),
        (281.4, "4 min 41 s"),
    ],
)
def test_durations_are_said_as_exactly_as_anybody_wants_to_know(seconds: float | None, said: str) -> None:
    assert say_seconds(seconds) == said


@pytest.mark.parametrize(("size", "said"), [(0, "0 bytes"), (9000, "9.0 kB"), (12_345_678, "12.3 MB")])
def test_sizes(size: int, said: str) -> None:
    assert say_bytes(size) == said
