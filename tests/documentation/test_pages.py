"""What the pages refer to is there: other pages, headings, scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import PAGES, ROOT, list_anchors, list_last_italics, list_links

from aigateway.acceptance.features import list_scenarios

SCENARIOS = {written.key.scenario for written in list_scenarios(ROOT)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    for link in list_links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in list_anchors(target), link


@pytest.mark.parametrize("name", ["deviations.md", "scale.md", "security.md"])
def test_the_scenarios_that_it_names_exist(name: str) -> None:
    named = set(list_last_italics(ROOT / "docs" / name))
    assert named
    assert named - SCENARIOS == set()


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        targets = ((page.parent / link.partition("#")[0]).resolve() for link in list_links(page))
        waiting += [target for target in targets if target.suffix == ".md"]
    assert set(PAGES) - seen == set()
