"""The page of a run: its figures drawn, in one file that needs nothing else."""

from __future__ import annotations

from functools import cache

from jinja2 import Template

from aigateway.benchmarking.plots import draw_chapters, draw_memory, draw_starts
from aigateway.benchmarking.results import BenchResult, LoadResult, Subject
from aigateway.reporting.page_parts import Inline, load_template, read_text
from aigateway.reporting.wording import say_date


def render_page(result: BenchResult) -> str:
    """The page as HTML."""
    main = next((one for one in result.subjects if one.kind in {"gateway", "running"}), None)
    return _load_template().render(
        result=result,
        main=main,
        headline=_say_headline(result, main),
        sentence=_say_sentence(result, main),
        calm=main.find("responses", 1) if main else None,
        busy=main.find("responses", 10) if main else None,
        chapters=draw_chapters(result),
        starts=draw_starts(result),
        memory=draw_memory(result),
        variants=[one for one in result.subjects if one.kind == "variant"],
        style=_read_style(),
    )


def _say_headline(result: BenchResult, main: Subject | None) -> str:
    calm = main.find("responses", 1) if main else None
    if not result.complete:
        return "Not finished"
    if calm and calm.added:
        return f"Adds {calm.added.p50.value:.0f} ms"
    if calm and calm.latency:
        return f"Answers in {calm.latency.p50.value:.0f} ms"
    return "Measured" if result.sound else "Not all measured"


def _say_sentence(result: BenchResult, main: Subject | None) -> str:
    parts = []
    calm, busy = (main.find("responses", users) if main else None for users in (1, 10))
    if calm and calm.latency:
        parts.append(f"Half of all responses take less than {calm.latency.p50.value:.1f} ms")
    if busy and busy.throughput:
        parts.append(
            f"ten callers at once get {busy.throughput.value:.0f} a second{_say_ratio(result, busy)}"
        )
    return "; ".join(parts) + "." if parts else result.summary


def _say_ratio(result: BenchResult, load: LoadResult) -> str:
    if not load.throughput_ratio:
        return ""
    return f", {load.throughput_ratio.value:.2f} times what LiteLLM's {result.baseline} config gives"


def _read_style() -> Inline:
    own, shared = (
        read_text(package, "page.css") for package in ("aigateway.benchmarking", "aigateway.reporting")
    )
    return Inline.of(f"{shared}\n{own}")


@cache
def _load_template() -> Template:
    return load_template("aigateway.benchmarking", {"date": say_date})
