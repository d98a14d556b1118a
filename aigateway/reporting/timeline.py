"""The run from its first scenario to its last, drawn: how long answers took, which faults there were, what ran when.

Drawings are paths in a space of 1000 by 100, stretched to the width of the page; texts stand beside them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from aigateway.acceptance.records import Exchange, Injection
from aigateway.reporting.stories import Story

_WIDTH = 1000
_HEIGHT = 100

_MOST_TICKS = 7
_TICK_SECONDS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)

_ENDPOINTS = ("/v1/responses", "/v1/chat/completions", "/v1/embeddings")
_OTHERS = "everything else"


@dataclass(frozen=True)
class Axis:
    """A direction of a drawing; `labels` stand at equal distances from its beginning to its end."""

    labels: tuple[str, ...]
    low: float
    high: float

    def place(self, value: float, length: int) -> float:
        """Where a value stands."""
        share = (value - self.low) / (self.high - self.low)
        return round(min(max(share, 0), 1) * length, 1)


@dataclass(frozen=True)
class Panel:
    """How long the answers of one endpoint took, over the run: those that were served, and the others."""

    name: str
    count: int
    median: float
    late: float
    slowest: float
    served: str
    refused: str
    median_line: str
    band: str


@dataclass(frozen=True)
class FaultRow:
    """When one kind of fault was asked for."""

    name: str
    count: int
    marks: str


@dataclass(frozen=True)
class FaultLine:
    """One fault, in words; `seconds` counts from the beginning of the run."""

    seconds: float
    injection: Injection
    story: Story


@dataclass(frozen=True)
class Timeline:
    """All of it; `lanes` are the scenarios, by verdict, in as many lanes as ran at the same time."""

    time: Axis
    latency: Axis
    panels: tuple[Panel, ...]
    lanes: tuple[Mapping[str, str], ...]
    fault_rows: tuple[FaultRow, ...]
    faults: tuple[FaultLine, ...]
    more_faults: int


def draw_timeline(stories: Sequence[Story]) -> Timeline | None:
    """The run as these scenarios recorded it; None when none did."""
    told = [(story, story.record) for story in stories if story.record]
    if not told:
        return None
    start = min(record.started for _, record in told)
    end = max(record.started + story.result.seconds for story, record in told)
    time = _measure_time(end - start)
    exchanges = [
        (record.started - start + exchange.started, exchange)
        for _, record in told
        for exchange in record.exchanges
        if exchange.seconds
    ]
    latency = _measure_latency([exchange.seconds or 0 for _, exchange in exchanges])
    faults = sorted(
        (
            FaultLine(record.started - start + injection.started, injection, story)
            for story, record in told
            for injection in record.injections
        ),
        key=lambda fault: fault.seconds,
    )
    return Timeline(
        time=time,
        latency=latency,
        panels=tuple(_draw_panels(exchanges, time, latency)),
        lanes=_draw_lanes(_list_times(stories, start), time),
        fault_rows=tuple(_draw_faults(faults, time)),
        faults=tuple(faults),
        more_faults=sum(record.more_injections for _, record in told),
    )


def _list_times(stories: Iterable[Story], start: float) -> list[tuple[float, float, str]]:
    """When each scenario began and ended, and what became of it, in the order in which they began."""
    return sorted(
        (story.record.started - start, story.record.started - start + story.result.seconds, story.outcome)
        for story in stories
        if story.record
    )


def _measure_time(seconds: float) -> Axis:
    step = next((step for step in _TICK_SECONDS if seconds / step < _MOST_TICKS), _TICK_SECONDS[-1])
    count = max(math.ceil(seconds / step), 1)
    return Axis(tuple(_say_moment(step * number) for number in range(count + 1)), 0, step * count)


def _say_moment(seconds: int) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds} s" if seconds else "0"


def _measure_latency(seconds: Sequence[float]) -> Axis:
    """In powers of ten, the slowest on top."""
    low = math.floor(math.log10(max(min(seconds, default=0.001), 0.001)))
    high = max(math.ceil(math.log10(max(seconds, default=1))), low + 1)
    labels = tuple(_say_power(power) for power in range(high, low - 1, -1))
    return Axis(labels, high, low)


def _say_power(power: int) -> str:
    return f"{10**power} s" if power >= 0 else f"{10 ** (power + 3)} ms"


def _draw_panels(exchanges: Iterable[tuple[float, Exchange]], time: Axis, latency: Axis) -> Iterable[Panel]:
    groups: dict[str, list[tuple[float, Exchange]]] = defaultdict(list)
    for moment, exchange in exchanges:
        path = exchange.path.partition("?")[0]
        groups[path if path in _ENDPOINTS else _OTHERS].append((moment, exchange))
    for name in (*_ENDPOINTS, _OTHERS):
        if name in groups:
            yield _draw_panel(name, groups[name], time, latency)


def _draw_panel(name: str, exchanges: Sequence[tuple[float, Exchange]], time: Axis, latency: Axis) -> Panel:
    seconds = sorted(exchange.seconds or 0 for _, exchange in exchanges)
    dots: dict[bool, set[str]] = {True: set(), False: set()}
    for moment, exchange in exchanges:
        x, y = time.place(moment, _WIDTH), _place_latency(exchange.seconds or 0, latency)
        dots[(exchange.status or 500) < 400].add(f"M{x:g} {y:g}h0")
    early, middle, late = (_find_share(seconds, share) for share in (0.05, 0.5, 0.95))
    top, bottom = _place_latency(late, latency), _place_latency(early, latency)
    return Panel(
        name=name,
        count=len(seconds),
        median=middle,
        late=late,
        slowest=seconds[-1],
        served="".join(sorted(dots[True])),
        refused="".join(sorted(dots[False])),
        median_line=f"M0 {_place_latency(middle, latency):g}h{_WIDTH}",
        band=f"M0 {top:g}h{_WIDTH}V{bottom:g}H0z",
    )


def _place_latency(seconds: float, latency: Axis) -> float:
    return latency.place(math.log10(max(seconds, 1e-9)), _HEIGHT)


def _find_share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _draw_lanes(times: Iterable[tuple[float, float, str]], time: Axis) -> tuple[Mapping[str, str], ...]:
    """Each scenario in the first lane that is free."""
    ends: list[float] = []
    lanes: list[dict[str, str]] = []
    for start, end, outcome in times:
        free = next((number for number, busy in enumerate(ends) if busy <= start), len(ends))
        if free == len(ends):
            ends.append(0)
            lanes.append(defaultdict(str))
        ends[free] = end
        lanes[free][outcome] += f"M{time.place(start, _WIDTH):g} 50H{time.place(end, _WIDTH):g}"
    return tuple(lanes)


def _draw_faults(faults: Iterable[FaultLine], time: Axis) -> Iterable[FaultRow]:
    by_kind = sorted(faults, key=lambda fault: fault.injection.fault)
    for kind, group in groupby(by_kind, key=lambda fault: fault.injection.fault):
        moments = [time.place(fault.seconds, _WIDTH) for fault in group]
        marks = "".join(f"M{x:g} 0V{_HEIGHT}" for x in sorted(set(moments)))
        yield FaultRow(kind.replace("_", " "), len(moments), marks)
