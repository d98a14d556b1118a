"""The catalogue of sabotages: what is refused, and that each still finds what it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from aigateway.acceptance.features import ScenarioKey, WrittenScenario, list_scenarios
from aigateway.errors import AigatewayError
from aigateway.launching.edits import apply_edits
from aigateway.proving.catalogue import Sabotage, find_unproven, index_by_scenario, load_sabotages
from aigateway.rendering.renderer import ENVOY, LITELLM, render_environment

ROOT = Path(__file__).parents[2]
SCENARIOS = list_scenarios(ROOT)
SABOTAGES = load_sabotages(ROOT, SCENARIOS)

GOOD = """\
- sabotage: The door is open
  how: Somebody forgot to close it
  edits:
    - {file: envoy.yaml, find: shut, put: open}
  turns_red:
    - A door
    - scenario: A window <where>
      examples: [above | left]
"""


def write(name: str, *example: str) -> WrittenScenario:
    return WrittenScenario(ScenarioKey(name, example), "House", Path("house.feature"), frozenset({"local"}))


HOUSE = (
    write("A door"),
    write("A window <where>", "above", "left"),
    write("A window <where>", "below", "left"),
)


def load(folder: Path, text: str) -> tuple[Sabotage, ...]:
    (folder / "features").mkdir(exist_ok=True)
    (folder / "features" / "house.sabotage.yaml").write_text(text)
    return load_sabotages(folder, HOUSE)


def test_a_sabotage_names_scenarios_and_rows_of_outlines(tmp_path: Path) -> None:
    (sabotage,) = load(tmp_path, GOOD)
    assert sabotage.turns_red == (HOUSE[0].key, HOUSE[1].key)
    assert not sabotage.changes_litellm
    assert find_unproven(HOUSE, (sabotage,)) == (HOUSE[2],)
    assert index_by_scenario((sabotage, sabotage)) == {
        HOUSE[0].key: ("The door is open",) * 2,
        HOUSE[1].key: ("The door is open",) * 2,
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "- A door",
            "- A doer",
            "house.sabotage.yaml:1: there is no scenario 'A doer'; did you mean 'A door'?",
        ),
        ("above | left", "above", "house.sabotage.yaml:1: 'A window <where>' has no example 'above'"),
        ("  how: Somebody forgot to close it\n", "", "house.sabotage.yaml:1: [0].how: Field required"),
        ("find: shut, ", "", "house.sabotage.yaml:4: [0].edits[0].find: Field required"),
        ("file: envoy.yaml", "file: nginx.conf", "house.sabotage.yaml:4: [0].edits[0].file: Input should be"),
        (
            "  edits:\n    - {file: envoy.yaml, find: shut, put: open}\n",
            "",
            "house.sabotage.yaml:1: [0]: changes nothing; give `edits`, `azure` or both",
        ),
        ("  how:", "  azure: vectors-revered\n  how:", "did you mean 'vectors-reversed'?"),
        ("  how:", "  hwo: x\n  how:", "house.sabotage.yaml:2: [0].hwo: Extra inputs are not permitted"),
        ("  how:", "  how\n", "house.sabotage.yaml:3: is not YAML"),
        ("- sabotage", "sabotage", "house.sabotage.yaml:"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(AigatewayError) as refused:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(refused.value)


def test_titles_are_unique(tmp_path: Path) -> None:
    with pytest.raises(AigatewayError, match="another sabotage is called 'The door is open' too"):
        load(tmp_path, GOOD + GOOD)


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.title)
def test_a_sabotage_finds_what_it_breaks(sabotage: Sabotage) -> None:
    texts = render_environment(ROOT, "dev").texts
    scripts = ROOT / "infra/modules/aigateway_aca/start"
    for file, text in (
        ("litellm.yaml", texts[LITELLM]),
        ("envoy.yaml", texts[ENVOY]),
        ("litellm.sh", (scripts / "litellm.sh").read_text()),
        ("envoy.sh", (scripts / "envoy.sh").read_text()),
    ):
        changed = apply_edits(file, text, sabotage.edits)
        assert (changed != text) == any(edit.file == file for edit in sabotage.edits)


def test_every_scenario_that_runs_here_can_fail() -> None:
    local = [scenario for scenario in SCENARIOS if "local" in scenario.tags]
    assert [str(scenario.key) for scenario in find_unproven(local, SABOTAGES)] == []
