"""The features are read as pytest-bdd reads them, without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pytest_bdd.feature import get_features

from aigateway.acceptance.features import list_scenarios
from aigateway.errors import AigatewayError
from aigateway.settings.loading import find_root

ROOT = find_root(Path(__file__))

FEATURE = """\
@above
Feature: Tags and rows

  Background:
    Given something

  Rule: some of them
    @inner
    Scenario: of a rule
      When it happens

  @own
  Scenario Outline: of <colour>
    When <colour> happens

    @ignored
    Examples:
      | colour | size |
      | red    | 1    |
      | a \\| b |      |

    Examples:
      | colour | size |
      | blue   | 2    |
"""


def write_feature(root: Path, text: str | bytes, name: str = "one.feature") -> None:
    folder = root / "features"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("own", [True, False])
def test_they_are_what_pytest_bdd_reads(tmp_path: Path, own: bool) -> None:
    write_feature(tmp_path, FEATURE)
    root = ROOT if own else tmp_path
    features = sorted(get_features([str(root / "features")]), key=lambda feature: feature.filename)
    expected = [
        (template.name, row, feature.name, Path(feature.filename), template.tags | above)
        for feature in features
        for template in feature.scenarios.values()
        for above in [feature.tags | (template.rule.tags if template.rule else set())]
        for row in [tuple(row.values()) for examples in template.examples for row in examples.as_contexts()]
        or [()]
    ]
    found = [
        (one.key.scenario, one.key.example, one.feature, one.path, one.tags) for one in list_scenarios(root)
    ]
    assert found == expected


def test_an_editors_hidden_file_is_no_feature(tmp_path: Path) -> None:
    write_feature(tmp_path, FEATURE)
    write_feature(tmp_path, "half written", ".#one.feature")
    assert len(list_scenarios(tmp_path)) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Feature: x\n  Scenario: y\n    Whenever it rains\n  oh\n    Given z\n  Scenario",
            "one.feature:6: is no",
        ),
        ("Scenario: y\n", "one.feature:1: is no feature: expected"),
        ("", "one.feature: is empty; a feature begins with"),
        (b"Feature: \xff\n", "one.feature: is not UTF-8; save the file as UTF-8"),
    ],
)
def test_what_is_no_feature_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    write_feature(tmp_path, text)
    with pytest.raises(AigatewayError) as caught:
        list_scenarios(tmp_path)
    assert said in str(caught.value)


def test_pytest_is_not_imported_for_it() -> None:
    asked = "import sys, aigateway.cli, aigateway.promotion.questions; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", asked], check=True)
