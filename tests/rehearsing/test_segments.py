"""Cutting files as Roo does: no gateway, no disk."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigateway.rehearsing.files import EXTENSIONS
from aigateway.rehearsing.grammars import GRAMMARS
from aigateway.rehearsing.segments import (
    LEAST_CHARACTERS,
    MOST_CHARACTERS,
    cut,
    cut_by_headings,
    cut_by_lines,
    estimate_tokens,
    find_way,
)

LINES = st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=2500), max_size=60)
SHORT_LINES = st.lists(st.text("ab ", min_size=1, max_size=120), max_size=200)


@given(LINES)
def test_no_segment_is_too_long_and_none_is_made_up(lines: list[str]) -> None:
    text = "\n".join(lines)
    for segment in cut_by_lines(lines):
        assert 0 < len(segment) <= MOST_CHARACTERS
        assert segment in text


@given(SHORT_LINES)
def test_nothing_is_lost_of_whole_lines_but_a_rest_too_short_for_a_segment(lines: list[str]) -> None:
    segments = list(cut_by_lines(lines))
    covered = sum(len(segment) + 1 for segment in segments)
    assert covered >= len("\n".join(lines)) - LEAST_CHARACTERS
    assert all(len(segment) + 1 >= LEAST_CHARACTERS for segment in segments)


@given(st.sampled_from(sorted(EXTENSIONS)), st.text(max_size=3000))
def test_any_text_of_any_kind_can_be_cut(extension: str, text: str) -> None:
    for segment in cut(extension, text):
        assert segment == segment.strip() != ""
        assert len(segment) <= MOST_CHARACTERS


def test_lines_fill_a_segment_up_to_fifteen_percent_over_a_thousand() -> None:
    segments = list(cut_by_lines(["x" * 99] * 40))
    # The last two share what is left: the last has no less than 200, and the one before keeps what it gave away.
    assert [len(segment) for segment in segments] == [1099, 1099, 1099, 699]


def test_a_rest_that_would_be_too_short_begins_earlier() -> None:
    segments = list(cut_by_lines(["x" * 99] * 12))
    # Eleven lines go in, one is left; the last segment takes another two, which the first keeps as well.
    assert [len(segment) for segment in segments] == [1099, 199]


def test_an_overlong_line_is_cut_into_thousands() -> None:
    segments = list(cut_by_lines(["a" * 60, "b" * 2500, "c" * 60]))
    assert [(segment[0], len(segment)) for segment in segments] == [
        ("a", 60), ("b", 1000), ("b", 1000), ("b", 500), ("c", 60),
    ]  # fmt: skip


def test_what_is_shorter_than_fifty_characters_is_dropped() -> None:
    assert list(cut_by_lines(["x" * 49])) == []
    assert list(cut_by_lines(["x" * 50])) == ["x" * 50]
    assert list(cut_by_lines([])) == []


BODY = "words that make a section long enough to be sent, and some more"


@pytest.mark.parametrize(
    ("lines", "sections"),
    [
        pytest.param(["# One", BODY, "## Two", BODY], 2, id="number signs"),
        pytest.param(["One", "===", BODY, "Two", "---", BODY], 2, id="underlines"),
        pytest.param([BODY, "# One", BODY], 2, id="text before the first"),
        pytest.param(["# One", "short", "# Two", BODY], 1, id="a short section is dropped"),
        pytest.param(
            ["# One\r", BODY + "\r", "# Two\r", BODY + "\r"], 1, id="no heading with carriage returns"
        ),
        pytest.param([BODY, BODY], 1, id="no heading at all"),
        pytest.param(["#One", BODY], 1, id="no space"),
    ],
)
def test_markdown_is_cut_at_its_headings(lines: list[str], sections: int) -> None:
    found = list(cut_by_headings(lines))
    assert len(found) == sections


def test_a_long_section_is_cut_by_lines() -> None:
    found = list(cut_by_headings(["# One", *[BODY] * 40]))
    assert len(found) == 3
    assert all(len(segment) <= MOST_CHARACTERS for segment in found)


METHOD = "    def method_{0}(self, value: int) -> int:\n        return value * {0} + self.offset * {0}\n"


def test_a_definition_inside_another_is_sent_twice_and_what_is_outside_of_all_not_at_all() -> None:
    source = (
        "OUTSIDE = 'a constant that is long enough to be a segment of its own, were it one'\n\nclass Small:\n"
    )
    source += METHOD.format(1) + METHOD.format(2)
    found = cut(".py", source)
    assert len(found) == 3
    assert found[0].startswith("class Small")
    assert [segment.split("(")[0] for segment in found[1:]] == ["def method_1", "def method_2"]
    assert not any("OUTSIDE" in segment for segment in found)


def test_a_definition_that_is_too_long_is_sent_in_its_parts_once_each() -> None:
    source = "class Large:\n" + "".join(METHOD.format(number) for number in range(30))
    assert len(source) > MOST_CHARACTERS
    found = cut(".py", source)
    assert sorted(segment.split("(")[0] for segment in found) == sorted(f"def method_{n}" for n in range(30))


def test_code_without_a_definition_is_cut_by_lines() -> None:
    assert cut(".py", "value = 1\n" * 20) == [("value = 1\n" * 20).strip()]
    assert cut(".py", "value = 1\n") == []


def test_json_is_read_as_a_program_and_its_parts_are_sent_again() -> None:
    text = json.dumps({"one": {"key": "v" * 60}, "other": {"key": "w" * 60}}, indent=2)
    assert len(cut(".json", text)) > 2


SOURCES = {
    ".py": "def function_with_a_name(argument):\n    return argument + 1, argument + 2\n",
    ".js": "function withAName(argument) {\n  return argument + 1 + argument + 2;\n}\n",
    ".jsx": "function withAName(argument) {\n  return <div>{argument + 1 + argument + 2}</div>;\n}\n",
    ".json": '{"a": {"key": "a value that is longer than fifty characters, as it has to be"}}',
    ".ts": "function withAName(argument: number): number {\n  return argument + 1 + argument;\n}\n",
    ".tsx": "const Shown = (props: Props) => {\n  return <Panel title={props.title}>{props.text}</Panel>;\n};\n",
    ".java": "class Outer {\n  int method(int argument) {\n    return argument + 1 + argument + 2;\n  }\n}\n",
    ".cs": "class Outer {\n  int Method(int argument) {\n    return argument + 1 + argument + 2;\n  }\n}\n",
    ".rs": "fn with_a_name(argument: i32) -> i32 {\n    argument + 1 + argument + 2 + argument\n}\n",
    ".go": "package p\n\nfunc WithAName(argument int) int {\n\treturn argument + 1 + argument + 2\n}\n",
    ".c": "int with_a_name(int argument)\n{\n  return argument + 1 + argument + 2;\n}\n",
    ".h": "struct with_a_name {\n  int first_field;\n  int second_field;\n  int third_field;\n};\n",
    ".cpp": "namespace n {\nclass Outer {\n  int method(int a) { return a + 1 + a + 2 + a + 3; }\n};\n}\n",
    ".hpp": "template <typename T> class Outer {\n  T method(T a) { return a + 1 + a + 2; }\n};\n",
}


@pytest.mark.parametrize("extension", sorted(GRAMMARS))
def test_every_grammar_finds_definitions(extension: str) -> None:
    source = SOURCES[extension]
    nodes = GRAMMARS[extension].find_definitions(source.encode())
    assert nodes
    assert not any(node.has_error for node in nodes)
    assert cut(extension, source)


def test_kinds_that_roo_knows_and_takes_nothing_from() -> None:
    assert find_way(".erb") == "nothing"
    assert cut(".erb", "text\n" * 50) == []
    assert [find_way(one) for one in (".vb", ".kt", ".md", ".py")] == [
        "lines", "approximated", "headings", "grammar",
    ]  # fmt: skip


def test_tokens_are_four_characters_each_rounded_up() -> None:
    assert [estimate_tokens("x" * length) for length in (1, 4, 5)] == [1, 1, 2]
