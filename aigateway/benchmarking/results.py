"""What `aigateway bench` measured; its JSON form is described by docs/bench.schema.json."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aigateway.benchmarking.figures import Figure
from aigateway.benchmarking.workloads import WorkloadName
from aigateway.launching.edits import Edit

#: What is measured: the simulated Azure itself; the rendered config, and LiteLLM of it without the edge; the rendered
#: config with edits; LiteLLM's stock config; a gateway that ran already.
Kind = Literal["direct", "gateway", "edgeless", "variant", "stock", "running"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(_Frozen):
    """Where it was measured."""

    processor: str
    cores: int = Field(ge=1, description="that this process may use")
    memory_gib: float = Field(gt=0)
    system: str
    python: str
    load_before: float | None = Field(
        description="mean of runnable processes in the minute before; Unix only"
    )
    load_after: float | None = Field(default=None, description="in its last minute, the measurement included")


class Latency(_Frozen):
    """Milliseconds."""

    p50: Figure
    p95: Figure
    p99: Figure


class LoadResult(_Frozen):
    """How one thing fared under one load; there are no figures where a request failed."""

    workload: WorkloadName
    concurrency: int = Field(ge=1)
    answered: int = Field(ge=0)
    failed: int = Field(ge=0)
    failure: str = Field(default="", description="the most frequent way to fail")
    latency: Latency | None = Field(default=None, description="until the end of the answer")
    first_event: Latency | None = Field(default=None, description="until the first event of a stream")
    throughput: Figure | None = Field(default=None, description="requests a second")
    processor_ms: Figure | None = Field(
        default=None,
        description="of processor time that all processes of it used for one request; Linux only",
    )
    added: Latency | None = Field(default=None, description="latency beyond that of calling Azure directly")
    added_first_event: Latency | None = None
    latency_ratio: Figure | None = Field(default=None, description="p50 as a multiple of the baseline's")
    throughput_ratio: Figure | None = Field(default=None, description="as a multiple of the baseline's")


class MemoryResult(_Frozen):
    """What the processes hold, all of them together; bytes (resident)."""

    at_rest: int
    after: int | None = Field(default=None, description="when all requests had been answered")
    requests: int = Field(default=0, ge=0, description="that were sent for this")
    growth: float | None = Field(default=None, description="bytes a request, over their second half")
    series: tuple[tuple[int, int], ...] = Field(default=(), description="requests so far, bytes")
    failed: int = Field(default=0, ge=0, description="of the requests; where there are any, nothing is said")
    failure: str = ""


class Subject(_Frozen):
    """One of the things that were compared."""

    name: str
    kind: Kind
    title: str
    edits: tuple[Edit, ...] = ()
    problem: str = Field(default="", description="why it did not start, where it did not")
    start_seconds: Figure | None = Field(
        default=None, description="from its start command to its first answer"
    )
    start_ratio: Figure | None = Field(default=None, description="as a multiple of the baseline's")
    start_processor_seconds: Figure | None = Field(
        default=None, description="of processor time until its first answer; Linux only"
    )
    memory: MemoryResult | None = None
    loads: tuple[LoadResult, ...] = ()

    def find(self, workload: WorkloadName, concurrency: int) -> LoadResult | None:
        """How it fared under one load."""
        return next(
            (one for one in self.loads if (one.workload, one.concurrency) == (workload, concurrency)), None
        )


class BenchResult(_Frozen):
    """One run: what was compared, side by side, round by round."""

    schema_version: Literal[1] = 1
    environment: str
    command: str
    started_at: str = Field(description="ISO 8601, UTC")
    seconds: float = Field(ge=0)
    machine: Machine
    versions: dict[str, str]
    vcpu: float | None = Field(default=None, description="of LiteLLM's container; none: the whole machine")
    envoy_vcpu: float | None = None
    rounds: int = Field(ge=0, description="that were finished")
    slice_seconds: float = Field(gt=0, description="how long each load was watched in a round")
    quick: bool
    limits_lifted: bool = Field(description="whether the edge's rate limits were lifted")
    paced_per_minute: float | None = Field(
        default=None, description="requests that it sent at most, to stay in a running gateway's rate limit"
    )
    baseline: str = Field(default="", description="what the ratios are multiples of; empty: nothing")
    complete: bool = Field(description="false where it was stopped, or died, before its end")
    problem: str = Field(default="", description="why it is not complete")
    tokens: int | None = Field(default=None, description="that a running gateway's answers cost")
    token_budget: int | None = None
    subjects: tuple[Subject, ...]

    def find(self, name: str) -> Subject | None:
        """What is called `name`."""
        return next((subject for subject in self.subjects if subject.name == name), None)

    @property
    def failed(self) -> int:
        """How many requests failed, and spoiled figures."""
        return sum(
            (subject.memory.failed if subject.memory else 0) + sum(load.failed for load in subject.loads)
            for subject in self.subjects
        )

    @property
    def missing(self) -> int:
        """How many loads have no figures."""
        return sum(load.latency is None for subject in self.subjects for load in subject.loads)

    @property
    def sound(self) -> bool:
        """Whether all that was to be measured was."""
        started = not any(subject.problem for subject in self.subjects)
        return self.complete and started and not self.failed and not self.missing

    @property
    def summary(self) -> str:
        """The outcome in one line."""
        parts = [f"{len(self.subjects)} compared in {self.rounds} rounds, {self.seconds:.0f} s"]
        if self.failed:
            parts.append(f"{self.failed} requests failed")
        if self.missing:
            parts.append(f"{self.missing} loads have no figures")
        parts += [f"{subject.name} did not start" for subject in self.subjects if subject.problem]
        if not self.complete:
            parts.append(f"stopped before its end: {self.problem}")
        return f"{self.environment}: {'; '.join(parts)}"
