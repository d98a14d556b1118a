"""docs/performance.md: the figures of the runs that were kept, from their results in docs/performance/."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from aigateway.benchmarking.figures import Figure
from aigateway.benchmarking.results import BenchResult, LoadResult, Subject
from aigateway.benchmarking.workloads import WORKLOADS
from aigateway.errors import AigatewayError
from aigateway.reporting.markdown import escape

PAGE = Path("docs/performance.md")
FOLDER = Path("docs/performance")

_HEAD = """\
<!-- Generated from docs/performance/*.json by `aigateway docs`; `aigateway bench --document NAME` writes those. -->

# Performance

What the gateway costs, measured by `aigateway bench`: each run compares, side by side and round by round, the
simulated Azure called **direct**ly, LiteLLM with its **stock** config, and the **gateway**, which is the rendered
config; **edgeless** is the gateway's LiteLLM called past Envoy. A figure is the median of the rounds, with the least
and the greatest of them behind it; ratios were taken within a round. Load is Locust's: so many users who call again as
soon as they are answered. CPU is what all processes of a subject used for one request; it depends least on what else
the machine does. Load, simulated Azure and gateway share the machine: what two subjects have in proportion says more
than what either has. The edge's rate limits were lifted, for they would be what is measured. A figure that a failed
request had a part in is not there.

What came of it: LiteLLM's loggers have the level at which it would drop their messages, so that an answer that is an
error costs it a third less; the variant **dropped-late** has them as they were. A second worker costs two and a half
times the memory and three times the time to start, and brings nothing with one vCPU. **granian** takes up to a fifth
less CPU for an answer and passes all scenarios; it is not taken as long as it has not passed them twenty times in a
row under load, and its memory, of which its two processes share much, is not known to fit the smallest container. No
other variant gained more than its rounds differ by.
"""


def load_results(root: Path) -> dict[str, BenchResult]:
    """The results that are kept, by name. Raises AigatewayError for one that cannot be read."""
    found = {}
    for path in sorted((root / FOLDER).glob("*.json")):
        try:
            found[path.stem] = BenchResult.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise AigatewayError(
                f"{path}: is no result of aigateway bench: {error.errors()[0]['msg']}; measure it anew with "
                f"aigateway bench --document {path.stem}"
            ) from error
    return found


def render_performance(results: Mapping[str, BenchResult]) -> str:
    """The page as Markdown."""
    if not results:
        return f"{_HEAD}\nNo run has been kept yet.\n"
    return "\n".join([_HEAD, *(line for name, result in results.items() for line in _tell(name, result))])


def _tell(name: str, result: BenchResult) -> Iterator[str]:
    machine = result.machine
    yield f"## {name}\n"
    yield f"`{result.command}`, {result.started_at[:10]}, {result.seconds:.0f} s, {result.rounds} rounds.\n"
    size = (
        f"LiteLLM has {result.vcpu:g} vCPU, Envoy {result.envoy_vcpu:g}, by the kernel's CPU quota."
        if result.vcpu
        else "All share all cores."
    )
    busy = "" if machine.load_before is None else f" Load average before: {machine.load_before:g}."
    yield (
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gib:g} GiB, {machine.system}. {size}{busy} "
        f"{', '.join(f'{title} {version}' for title, version in sorted(result.versions.items()))}.\n"
    )
    if result.paced_per_minute:
        yield (
            f"It was sent {result.paced_per_minute:g} requests a minute at most, to stay in its client's rate limit: "
            f"how much it could serve is not known.\n"
        )
    for workload, title in WORKLOADS.items():
        rows = [
            (subject, load)
            for subject in result.subjects
            for load in subject.loads
            if load.workload == workload
        ]
        if rows:
            yield from _tabulate_load(title, workload == "stream", rows, result.baseline)
    yield from _tabulate_processes(result)
    yield from _list_variants(result)


def _tabulate_load(
    title: str, streamed: bool, rows: list[tuple[Subject, LoadResult]], baseline: str
) -> Iterator[str]:
    yield f"**{title}**\n"
    event = " first event p50 ms |" if streamed else ""
    head, ratio = "added p50 / p95 / p99 ms", f"× {baseline or '–'}"
    yield f"| at once | subject | p50 ms | p95 ms | p99 ms | {head} |{event} requests/s | {ratio} | CPU ms | n |"
    yield "|--:|---|--:|--:|--:|--:|" + ("--:|" if streamed else "") + "--:|--:|--:|--:|"
    for subject, load in sorted(rows, key=lambda row: row[1].concurrency):
        cells = [str(load.concurrency), subject.name]
        if load.latency is None or load.throughput is None:
            cells += [f"{load.failed} failed: {escape(load.failure)}"] + [""] * (8 if streamed else 7)
            yield f"| {' | '.join(cells)} |"
            continue
        cells += [_write(one) for one in (load.latency.p50, load.latency.p95, load.latency.p99)]
        added = load.added
        cells.append(
            " / ".join(f"{one.value:+.1f}" for one in (added.p50, added.p95, added.p99)) if added else "–"
        )
        if streamed:
            cells.append(_write(load.first_event.p50) if load.first_event else "–")
        cells += [
            _write(load.throughput),
            _write(load.throughput_ratio, digits=2),
            _write(load.processor_ms),
            str(load.answered),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _tabulate_processes(result: BenchResult) -> Iterator[str]:
    rows = [subject for subject in result.subjects if subject.start_seconds or subject.memory]
    if not rows:
        return
    yield "**Start and memory** (resident, all processes of a subject)\n"
    ratio = f"× {result.baseline or '–'}"
    yield f"| subject | start s | {ratio} | CPU s | at rest MiB | after MiB | requests | growth, bytes a request |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for subject in rows:
        memory = subject.memory
        cells = [subject.name, _write(subject.start_seconds), _write(subject.start_ratio, digits=2)]
        cells.append(_write(subject.start_processor_seconds))
        if memory is None:
            cells += ["–"] * 4
        else:
            cells += [
                f"{memory.at_rest / 1024**2:.0f}",
                "–" if memory.after is None else f"{memory.after / 1024**2:.0f}",
                f"{memory.requests:,}",
                "–" if memory.growth is None else f"{memory.growth:,.0f}",
            ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _list_variants(result: BenchResult) -> Iterator[str]:
    variants = [subject for subject in result.subjects if subject.kind == "variant"]
    for subject in variants:
        yield f"- **{subject.name}**: {subject.title}"
    if variants:
        yield ""


def _write(figure: Figure | None, digits: int = 1) -> str:
    if figure is None:
        return "–"
    return f"{figure.value:.{digits}f} ({figure.low:.{digits}f}–{figure.high:.{digits}f})"
