"""The Markdown and the page that a result is told in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_results import BUSY, make_records, make_result, make_slice

from aigateway.benchmarking.document import load_results, render_performance
from aigateway.benchmarking.page import render_page
from aigateway.benchmarking.plots import draw_chapters, draw_memory, draw_starts
from aigateway.benchmarking.writing import write_result
from aigateway.errors import AigatewayError


def test_the_document_has_every_figure_with_machine_and_command() -> None:
    text = render_performance({"one-vcpu": make_result()})
    for word in (
        "## one-vcpu",
        "`aigateway bench`",
        "A processor, 2 cores",
        "litellm 1.0.0",
        "LiteLLM has 1 vCPU",
    ):
        assert word in text
    row = next(line for line in text.splitlines() if line.startswith("| 10 | gateway |"))
    assert "43.0 (36.0–50.0)" in row
    assert "1.12 (1.00–1.25)" in row
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_a_load_that_failed_is_told_in_place_of_its_figures() -> None:
    records = make_records()
    records[2].slices[BUSY][0] = make_slice([1], failures={"status 500: | broke": 2})
    text = render_performance({"a": make_result(records)})
    assert "| 10 | gateway | 2 failed: 2 of 2: status 500: \\| broke |" in text


def test_without_a_run_it_says_so() -> None:
    assert "No run has been kept yet" in render_performance({})


def test_a_kept_result_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "docs" / "performance").mkdir(parents=True)
    (tmp_path / "docs" / "performance" / "old.json").write_text("{}")
    with pytest.raises(AigatewayError, match=r"old.json: is no result .* --document old"):
        load_results(tmp_path)


def test_what_was_measured_is_written_and_kept_under_its_name(tmp_path: Path) -> None:
    result = make_result()
    written = [str(path.relative_to(tmp_path)) for path in write_result(tmp_path, result, "mine")]
    assert written == [
        "build/bench/dev/result.json",
        "build/bench/dev/report.html",
        "docs/performance/mine.json",
        "docs/performance.md",
    ]
    assert load_results(tmp_path) == {"mine": result}


def test_what_is_not_whole_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(AigatewayError, match="left as it was"):
        write_result(tmp_path, make_result(problem="it was stopped"), "mine")
    assert (tmp_path / "build/bench/dev/result.json").exists()
    assert not (tmp_path / "docs").exists()


def test_the_page_needs_nothing_else_and_lets_in_its_own_style_alone() -> None:
    page = render_page(make_result())
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    assert 'style="' not in page
    assert "Adds 19 ms" in page


def test_the_page_tells_of_a_run_that_was_stopped_and_of_what_failed() -> None:
    records = make_records()
    records[2].slices[BUSY][0] = make_slice([1], failures={"<b>status 500</b>": 2})
    page = render_page(make_result(records, problem="it was stopped"))
    assert "Not finished" in page
    assert "2 requests failed" in page
    assert "&lt;b&gt;status 500" in page
    assert "<b>status" not in page


def test_a_run_that_was_stopped_before_its_first_round_has_a_page() -> None:
    records = make_records()
    for record in records:
        record.slices.clear()
        record.series.clear()
    assert "Not finished" in render_page(make_result(records, problem="it was stopped"))


def test_everything_drawn_is_on_its_scale() -> None:
    result = make_result()
    plots = [
        plot
        for chapter in draw_chapters(result)
        for plot in (*chapter.latencies, *chapter.first_events, *chapter.throughputs)
    ]
    starts = draw_starts(result)
    assert starts
    for plot in (*plots, starts):
        for row in plot.rows:
            for place in (*row.points, *(row.spread or ()), row.bar or 0):
                assert 0 <= place <= 1000
    memory = draw_memory(result)
    assert memory
    assert memory.least < 287 < 372 < memory.most
    assert len(memory.lines) == 3
