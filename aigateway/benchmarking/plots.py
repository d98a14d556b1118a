"""What the page draws, as places on a scale from 0 to 1000: the template has only to write them down."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aigateway.benchmarking.figures import Figure
from aigateway.benchmarking.results import BenchResult, Kind, Latency, LoadResult, Subject
from aigateway.benchmarking.workloads import WORKLOADS, WorkloadName

_Pick = Callable[[LoadResult], Latency | None]

_WIDTH = 1000
_MEBIBYTE = 1024**2


@dataclass(frozen=True)
class Row:
    """One subject's line in a plot: `points` on it from left to right, `bar` from 0 on, `spread` around its end."""

    name: str
    kind: Kind
    said: str
    points: tuple[int, ...] = ()
    bar: int | None = None
    spread: tuple[int, int] | None = None
    failure: str = ""


@dataclass(frozen=True)
class Plot:
    """Rows with one scale from 0 to `most`, which `unit` is of."""

    title: str
    unit: str
    most: float
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Line:
    """How one subject's memory went: `path` in SVG's words, on 1000 by 100."""

    name: str
    kind: Kind
    path: str
    said: str


@dataclass(frozen=True)
class MemoryPlot:
    """Memory by requests, of all subjects; MiB."""

    lines: tuple[Line, ...]
    least: int
    most: int
    requests: int


@dataclass(frozen=True)
class Chapter:
    """A workload's plots."""

    workload: WorkloadName
    title: str
    latencies: tuple[Plot, ...]
    first_events: tuple[Plot, ...]
    throughputs: tuple[Plot, ...]


def draw_chapters(result: BenchResult) -> tuple[Chapter, ...]:
    """The plots of each workload that was measured."""
    return tuple(_draw_chapters(result))


def _draw_chapters(result: BenchResult) -> Iterator[Chapter]:
    for workload, title in WORKLOADS.items():
        found = {
            load.concurrency for one in result.subjects for load in one.loads if load.workload == workload
        }
        if not found:
            continue
        groups = [(users, _collect(result, workload, users)) for users in sorted(found)]
        yield Chapter(
            workload,
            title,
            latencies=tuple(
                _draw_latency(f"{users} at once", rows, lambda load: load.latency) for users, rows in groups
            ),
            first_events=tuple(
                _draw_latency(f"{users} at once", rows, lambda load: load.first_event)
                for users, rows in groups
            )
            if workload == "stream"
            else (),
            throughputs=tuple(_draw_throughput(f"{users} at once", rows) for users, rows in groups),
        )


def _collect(
    result: BenchResult, workload: WorkloadName, concurrency: int
) -> list[tuple[Subject, LoadResult]]:
    found = [(subject, subject.find(workload, concurrency)) for subject in result.subjects]
    return [(subject, load) for subject, load in found if load]


def _draw_latency(title: str, rows: Sequence[tuple[Subject, LoadResult]], pick: _Pick) -> Plot:
    latencies = [pick(load) for _, load in rows]
    most = _round_up(max((one.p99.value for one in latencies if one), default=1.0))
    return Plot(title, "ms", most, tuple(_draw_percentiles(*row, pick(row[1]), most) for row in rows))


def _draw_percentiles(subject: Subject, load: LoadResult, latency: Latency | None, most: float) -> Row:
    if latency is None:
        return _fail(subject, load)
    values = (latency.p50.value, latency.p95.value, latency.p99.value)
    said = " / ".join(_say(value) for value in values)
    return Row(subject.name, subject.kind, said, points=tuple(_place(value, most) for value in values))


def _draw_throughput(title: str, rows: Sequence[tuple[Subject, LoadResult]]) -> Plot:
    # The direct call serves many times what is compared, and would make that invisible.
    compared = [row for row in rows if row[0].kind != "direct"] or list(rows)
    most = _round_up(max((load.throughput.high for _, load in compared if load.throughput), default=1.0))
    return Plot(title, "requests/s", most, tuple(_draw_bar(*row, most) for row in compared))


def _draw_bar(subject: Subject, load: LoadResult, most: float) -> Row:
    if load.throughput is None:
        return _fail(subject, load)
    ratio = f" × {load.throughput_ratio.value:.2f}" if load.throughput_ratio else ""
    return _make_bar(subject, load.throughput, most, f"{load.throughput.value:.1f}{ratio}")


def draw_starts(result: BenchResult) -> Plot | None:
    """How long each took to start."""
    found = [(subject, subject.start_seconds) for subject in result.subjects if subject.start_seconds]
    if not found:
        return None
    most = _round_up(max(figure.high for _, figure in found))
    rows = tuple(_make_bar(subject, figure, most, f"{figure.value:.1f}") for subject, figure in found)
    return Plot("From the start command to the first answer", "s", most, rows)


def draw_memory(result: BenchResult) -> MemoryPlot | None:
    """How the memory of each went, request by request."""
    series = [
        (one, one.memory.series) for one in result.subjects if one.memory and len(one.memory.series) > 1
    ]
    if not series:
        return None
    every = [held / _MEBIBYTE for _, points in series for _, held in points]
    least, most = math.floor(min(every) / 50) * 50, math.ceil(max(every) / 50) * 50
    requests = max(points[-1][0] for _, points in series)
    lines = []
    for subject, points in series:
        places = [
            f"{_place(sent, requests)} {100 - round(100 * (held / _MEBIBYTE - least) / max(most - least, 1), 1):g}"
            for sent, held in points
        ]
        growth = subject.memory.growth if subject.memory else None
        said = f"{points[0][1] / _MEBIBYTE:.0f} → {points[-1][1] / _MEBIBYTE:.0f} MiB"
        said += "" if growth is None else f", at the end {growth:+,.0f} bytes a request"
        lines.append(Line(subject.name, subject.kind, "M" + " L".join(places), said))
    return MemoryPlot(tuple(lines), least, most, requests)


def _make_bar(subject: Subject, figure: Figure, most: float, said: str) -> Row:
    return Row(
        subject.name,
        subject.kind,
        said,
        bar=_place(figure.value, most),
        spread=(_place(figure.low, most), _place(figure.high, most)),
    )


def _fail(subject: Subject, load: LoadResult) -> Row:
    return Row(subject.name, subject.kind, f"{load.failed} failed", failure=load.failure)


def _place(value: float, most: float) -> int:
    return round(_WIDTH * min(max(value / most, 0), 1)) if most else 0


def _round_up(value: float) -> float:
    """The next number with one digit, and 1, 1.5, 2, 3, 4, 5, 6 or 8 of it."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if value <= step * power * 1.000001)


def _say(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
