"""Records and results that nobody measured, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence

from aigateway.benchmarking.generator import Slice
from aigateway.benchmarking.results import BenchResult, Kind, Machine
from aigateway.benchmarking.run import LoadKey, Record, conclude
from aigateway.benchmarking.subjects import Plan

CALM: LoadKey = ("responses", 1)
BUSY: LoadKey = ("responses", 10)
STREAM: LoadKey = ("stream", 10)


def make_slice(
    milliseconds: Sequence[float],
    *,
    rate: float = 10,
    failures: dict[str, int] | None = None,
    first: float | None = None,
) -> Slice:
    return Slice(
        samples=tuple((value, first) for value in milliseconds),
        within=round(rate * 2),
        served=len(milliseconds),
        failures=failures or {},
        tokens=0,
        watched_seconds=2.0,
        processor_seconds=0.01 * len(milliseconds),
    )


def make_record(name: str, kind: Kind, base: float, rates: Sequence[float], **memory: int) -> Record:
    """Two rounds of it, the second of them a tenth slower."""
    record = Record(Plan(name, kind, f"what is called {name}"))
    for number, rate in enumerate(rates):
        times = [base * (1 + 0.1 * number) + extra for extra in range(5)]
        for key in (CALM, BUSY, STREAM):
            first = base / 2 if key == STREAM else None
            record.slices.setdefault(key, []).append(make_slice(times, rate=rate, first=first))
    if memory:
        record.at_rest = memory["at_rest"]
        record.starts = [8.0, 9.0]
        record.series = [(sent, memory["at_rest"] + sent * memory["grows"]) for sent in range(0, 2001, 500)]
    return record


def make_records() -> list[Record]:
    return [
        make_record("direct", "direct", 2, (300, 280)),
        make_record("stock", "stock", 24, (40, 36), at_rest=300_000_000, grows=1000),
        make_record("gateway", "gateway", 20, (50, 36), at_rest=390_000_000, grows=0),
        make_record("two-workers", "variant", 18, (80, 70), at_rest=700_000_000, grows=10),
    ]


def make_result(records: Sequence[Record] | None = None, *, problem: str = "") -> BenchResult:
    return BenchResult(
        environment="dev",
        command="aigateway bench",
        started_at="2026-01-02T03:04:05+00:00",
        seconds=12.5,
        machine=Machine(
            processor="A processor",
            cores=2,
            memory_gib=8,
            system="Linux 6.0",
            python="3.11.7",
            load_before=0.5,
        ),
        versions={"litellm": "1.0.0", "locust": "2.0"},
        vcpu=1.0,
        envoy_vcpu=0.25,
        rounds=2,
        slice_seconds=2.0,
        quick=False,
        limits_lifted=True,
        baseline="stock",
        complete=not problem,
        problem=problem,
        subjects=conclude(make_records() if records is None else records),
    )
