"""From what was taken down to figures; a figure that a failed request had a part in is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_results import BUSY, CALM, STREAM, make_record, make_records, make_result, make_slice

from aigateway.benchmarking.results import BenchResult
from aigateway.benchmarking.run import conclude, list_lines


def test_what_is_added_is_beyond_the_direct_call_of_the_same_round() -> None:
    gateway = make_result().find("gateway")
    assert gateway is not None
    calm = gateway.find(*CALM)
    assert calm is not None
    assert calm.added is not None
    # 22 - 4 in the first round, 24 - 4.2 in the second.
    assert calm.added.p50.model_dump() == pytest.approx({"value": 18.9, "low": 18, "high": 19.8, "n": 10})


def test_ratios_are_of_the_baseline() -> None:
    result = make_result()
    gateway, stock, direct = (result.find(name) for name in ("gateway", "stock", "direct"))
    assert gateway
    assert stock
    assert direct
    load = gateway.find(*BUSY)
    assert load
    assert load.throughput_ratio
    assert (load.throughput_ratio.low, load.throughput_ratio.high) == (1.0, 1.25)
    assert gateway.start_ratio is not None
    own = stock.find(*BUSY)
    assert own is not None
    assert own.throughput_ratio is None, "of itself it would be 1"
    plain = direct.find(*BUSY)
    assert plain is not None
    assert plain.added is None


def test_only_a_stream_has_a_first_event() -> None:
    gateway = make_result().find("gateway")
    assert gateway is not None
    streamed, whole = gateway.find(*STREAM), gateway.find(*BUSY)
    assert streamed
    assert whole
    assert streamed.first_event is not None
    assert streamed.added_first_event is not None
    assert whole.first_event is None


def test_processor_time_is_by_request() -> None:
    gateway = make_result().find("gateway")
    assert gateway is not None
    load = gateway.find(*BUSY)
    assert load
    assert load.processor_ms
    assert load.processor_ms.value == pytest.approx(10)


def test_a_figure_with_errors_in_it_is_refused() -> None:
    records = make_records()
    failures = {"status 500: it broke": 3, "status 429: slowly": 1}
    records[2].slices[BUSY][1] = make_slice([20, 21], failures=failures)
    result = make_result(records)
    gateway = result.find("gateway")
    assert gateway is not None
    load, other = gateway.find(*BUSY), gateway.find(*CALM)
    assert load
    assert other
    assert (load.latency, load.throughput, load.added, load.throughput_ratio) == (None, None, None, None)
    assert (load.failed, load.answered, load.failure) == (4, 7, "3 of 4: status 500: it broke")
    assert other.latency is not None
    assert not result.sound
    assert "4 requests failed" in result.summary
    assert any("gateway: responses, 10 at once: no figure; 4 failed" in line for line in list_lines(result))


def test_nothing_is_compared_with_what_failed() -> None:
    records = make_records()
    for name in (0, 1):
        records[name].slices[BUSY][0] = make_slice([1], failures={"refused": 1})
    gateway = make_result(records).find("gateway")
    assert gateway is not None
    load = gateway.find(*BUSY)
    assert load
    assert load.latency is not None
    assert (load.added, load.throughput_ratio, load.latency_ratio) == (None, None, None)


def test_a_load_that_nobody_answered_has_no_figure_and_the_run_is_not_sound() -> None:
    records = make_records()
    records[2].slices[BUSY][0] = make_slice([], rate=0)
    result = make_result(records)
    assert not result.failed
    assert result.missing == 1
    assert not result.sound


def test_memory_grows_by_the_slope_of_its_second_half() -> None:
    result = make_result()
    stock, gateway = result.find("stock"), result.find("gateway")
    assert stock
    assert gateway
    assert stock.memory
    assert gateway.memory
    assert (stock.memory.growth, gateway.memory.growth) == (1000, 0)
    assert (stock.memory.at_rest, stock.memory.after, stock.memory.requests) == (
        300_000_000,
        302_000_000,
        2000,
    )


def test_memory_after_failed_requests_is_no_figure() -> None:
    record = make_record("gateway", "gateway", 20, (1,), at_rest=1, grows=0)
    record.failures = {"status 503": 2}
    (subject,) = conclude([record])
    assert subject.memory
    assert (subject.memory.after, subject.memory.growth, subject.memory.failed) == (None, None, 2)


def test_a_run_that_was_stopped_keeps_what_is_known() -> None:
    records = make_records()
    records.append(replace(make_record("late", "variant", 1, ())))
    result = make_result(records, problem="it was stopped")
    late = result.find("late")
    assert late
    assert late.loads == ()
    assert not result.sound
    assert "it was stopped" in result.summary


def test_a_result_survives_being_written_and_read() -> None:
    result = make_result()
    assert BenchResult.model_validate_json(result.model_dump_json()) == result
