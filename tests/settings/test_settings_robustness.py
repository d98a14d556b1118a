"""Whatever stands in a settings file, the answer is settings or a SettingsError in our words."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aigateway.errors import SettingsError
from aigateway.settings.loading import load_settings
from aigateway.settings.schema import walk_settings

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

words = st.sampled_from(sorted({part for setting in walk_settings() for part in setting.key.split(".")}))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=8)
    | st.sampled_from(["dev", "roo", "a", "v1", "westeurope", "2025-04-01-preview"])
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)


def load(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    message = "accepted"
    try:
        load_settings(path)
    except SettingsError as error:
        message = str(error)
    assert message
    assert "Input should" not in message


@quick
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    load(tmp_path / "gateway.yaml", content)


@quick
@given(
    lines=st.lists(
        st.sampled_from(["a: ", "- ", "'", '"', "{", "]", "\n", "  ", "? ", "&x ", "*x ", "!t ", "|", "#"])
    )
)
def test_any_yaml_like_text(tmp_path: Path, lines: list[str]) -> None:
    load(tmp_path / "gateway.yaml", "".join(lines).encode())


@quick
@given(data=st.dictionaries(words, trees, max_size=8))
def test_any_tree(tmp_path: Path, data: dict[str, Any]) -> None:
    good = {"environment": tmp_path.name, "clients": [{"name": "roo"}]}
    with contextlib.suppress(UnicodeEncodeError):
        load(tmp_path / "gateway.yaml", yaml.safe_dump({**good, **data}, allow_unicode=True).encode())
