"""Whatever stands in a config where nothing is known to stand is refused, and nothing makes a rule stumble."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from spoiling import DUMPER, Spoiler, render_dev

from aigateway.errors import RenderError
from aigateway.rendering.renderer import ENVOY, LITELLM, TFVARS
from aigateway.rules import find_violations

SPOILER = Spoiler(render_dev(), Path())
DATA = {"litellm": SPOILER.rendering.parse(LITELLM), "envoy": SPOILER.rendering.parse(ENVOY)}

#: Mappings whose keys are free: names of log fields, of filters that a route changes, and what Envoy says itself; and
#: those that a rule takes whole or not at all.
FREE = (
    "json_format",
    "typed_per_filter_config",
    "local_reply_config",
    "custom_response_matcher",
    "xds_matcher",
    "static_layer",
)

Place = tuple[str | int, ...]

few = settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)


def walk(data: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value, with where it stands."""
    yield place, data
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from walk(value, (*place, key))


MAPPINGS = [
    (name, place)
    for name, data in DATA.items()
    for place, value in walk(data)
    if isinstance(value, dict) and not any(part in FREE for part in place)
]
VALUES = [(name, place) for name, data in DATA.items() for place, _ in walk(data) if place]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.dates(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
# No key of either program's begins so.
NAMES = st.from_regex(r"zz_[a-z_]{0,12}", fullmatch=True)


def _spoil(name: str, place: Place, value: object) -> str:
    data = copy.deepcopy(DATA[name])
    target: Any = data
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = value
    return str(yaml.dump(data, Dumper=DUMPER, sort_keys=False))


@few
@given(where=st.sampled_from(MAPPINGS), key=NAMES, value=JUNK)
def test_an_unknown_key_is_refused_at_any_level(where: tuple[str, Place], key: str, value: object) -> None:
    name, place = where
    rendering = SPOILER.with_text(name, _spoil(name, (*place, key), value))
    found = {violation.rule for violation in find_violations(rendering) if violation.key.endswith(key)}
    assert found == {"LL001" if name == "litellm" else "EN001"}


@few
@given(where=st.sampled_from(VALUES), value=JUNK)
def test_no_value_makes_a_rule_stumble(where: tuple[str, Place], value: object) -> None:
    name, place = where
    for violation in find_violations(SPOILER.with_text(name, _spoil(name, place, value))):
        assert violation.message


@few
@given(name=st.sampled_from(("litellm", "envoy", "tfvars")), value=JUNK)
def test_a_whole_file_of_anything_is_refused(name: str, value: object) -> None:
    rendering = SPOILER.with_text(name, str(yaml.dump(value, Dumper=DUMPER)))
    try:
        assert find_violations(rendering)
    except RenderError as error:
        assert "is not a mapping" in str(error)  # noqa: PT017 - either is a refusal


def test_the_variables_for_terraform_may_have_more_than_the_rules_look_at() -> None:
    data = SPOILER.rendering.parse(TFVARS)
    data["more"] = {"of": "it"}
    assert find_violations(SPOILER.with_text("tfvars", str(yaml.dump(data, Dumper=DUMPER)))) == ()
