"""A made-up run in which everything happens that reports have to show, and texts that try to break out of them."""

from __future__ import annotations

from pathlib import Path

from aigateway.acceptance.findings import Findings
from aigateway.acceptance.records import Excerpt, Exchange, Injection, Message, Origin, Record, Step
from aigateway.acceptance.results import RunResult, ScenarioResult, Verdict

#: Breaks out of HTML, of a script, of Markdown's code and tables, and of a template.
HOSTILE = """</pre></script><script>document.title = "broken out"</script> ```\n| {{ 7 * 7 }} "'&"""

STARTED = 1_795_400_000.0

NAMES = ("An answer", "A vector", HOSTILE, "A storm", "A second thought", "No Azure here")
VERDICTS: tuple[Verdict, ...] = ("passed", "passed", "failed", "passed", "error", "skipped")


def make_findings(folder: Path = Path(), *, aborted: str = "", conformant: bool = False) -> Findings:
    """The run; `conformant` is what its result says."""
    scenarios = tuple(
        _make_scenario(number, name, verdict)
        for number, (name, verdict) in enumerate(zip(NAMES, VERDICTS, strict=True))
    )
    result = RunResult(
        environment="dev",
        target="local",
        launcher="process",
        started_at="2026-11-23T02:33:20+00:00",
        seconds=42,
        conformant=conformant,
        tokens=1234,
        scenarios=scenarios,
    )
    records = {one.id: _make_record(number, one) for number, one in enumerate(scenarios)}
    commands = {one.id: f".venv/bin/pytest '{one.id}' --environment dev" for one in scenarios}
    return Findings(folder, result, records, commands, aborted)


def _make_scenario(number: int, name: str, verdict: Verdict) -> ScenarioResult:
    flaky = name == "A second thought" and verdict == "passed"
    return ScenarioResult(
        id=f"features/test_features.py::test_{number}",
        feature="Answers" if number % 2 == 0 else "Storms",
        name=name,
        scenario=name,
        requirements=("FR1", "NFR1") if number % 2 == 0 else ("FR5",),
        profiles=("codex",) if number == 0 else (),
        core=verdict != "skipped",
        verdict=verdict,
        seconds=0.5 + number,
        reason=f"AssertionError: {HOSTILE}" if verdict in {"failed", "error"} else "",
        step="Then it is answered" if verdict == "failed" else "",
        tags=("local",),
        tries=2 if flaky else 1,
    )


def _make_record(number: int, scenario: ScenarioResult) -> Record:
    last = "failed" if scenario.verdict in {"failed", "error"} else "passed"
    steps = (
        Step(keyword="Given", text="a gateway", line=4, verdict="passed", started=0.01, seconds=0.01),
        Step(
            keyword="When",
            text=f"somebody asks {HOSTILE}",
            line=5,
            table=(("a", HOSTILE), ("b", "2")),
            docstring=HOSTILE,
            verdict="passed",
            started=0.1,
            seconds=0.3,
        ),
        Step(keyword="Then", text="it is answered", line=9, verdict=last, started=0.45, seconds=0.02),
        Step(keyword="And", text="nothing is left", line=10, verdict="skipped"),
    )
    if scenario.verdict == "skipped":
        steps = tuple(step.model_copy(update={"verdict": "skipped", "started": 0.0}) for step in steps)
    return Record(
        origin=Origin(
            uri="features/answers.feature",
            feature=scenario.feature,
            feature_line=2,
            feature_description="What it is about.",
            keyword="Scenario",
            line=3,
            description="",
            tags=("FR1", "local"),
        ),
        started=STARTED + number,
        steps=steps,
        exchanges=(
            *(_make_exchange(number, count) for count in range(3)),
            *(
                Exchange(
                    method="POST",
                    path="/v1/embeddings",
                    started=0.2 + count / 1000,
                    status=429,
                    end="whole",
                    first_byte_seconds=0.002,
                    seconds=0.003 + count / 1000,
                )
                for count in range(40)
            ),
        ),
        more_exchanges=7,
        injections=(
            Injection(fault="throttled", parameters={"times": 3}, marker=HOSTILE, started=0.11),
            Injection(fault="slow_first_byte", parameters={}, marker=None, started=0.12),
        ),
        more_injections=1,
    )


def _make_exchange(number: int, count: int) -> Exchange:
    return Exchange(
        method="POST",
        path="/v1/responses",
        started=0.12 + count / 100,
        status=(200, 500, None)[count],
        end=("whole", "broken", "none")[count],
        first_byte_seconds=(0.01, 0.02, None)[count],
        seconds=(0.2 * (number + 1), 0.05, None)[count],
        request_id=f"id-{number}-{count}",
        request=Message(
            headers=(("authorization", "[not shown]"),), body=Excerpt(head='{"input": "x"}', size=14)
        ),
        response=Message(headers=(("x-a", HOSTILE),), body=Excerpt(head=HOSTILE, tail="the end", size=9000))
        if count < 2
        else None,
    )
