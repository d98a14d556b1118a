"""`aigateway rehearse`: counts what Roo would index, sends it through a real gateway, and says what that comes to."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import openai
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from aigateway.errors import AigatewayError
from aigateway.files import write_atomically
from aigateway.launching.choice import LauncherChoice, choose_launcher
from aigateway.launching.parts import PartReference, require_running
from aigateway.launching.stack import Stack, run_stack
from aigateway.rehearsing.files import list_files
from aigateway.rehearsing.forecast import find_floor, predict, reckon_need
from aigateway.rehearsing.results import (
    AzureQuota,
    Count,
    EdgeLimit,
    End,
    Forecast,
    Measured,
    Rehearsal,
)
from aigateway.rehearsing.roo import Batch, Clock, RealClock, RooIndexer, describe, gather_batches
from aigateway.rehearsing.segments import cut, estimate_tokens, find_way
from aigateway.rendering.renderer import Rendering
from aigateway.settings.model import Client, Settings
from aigateway.signals import catch_signals
from aigateway.simulator.config import Quota
from aigateway.simulator.control import SimulatorControl
from aigateway.waiting import wait_until

RESULT_FILE = "result.json"

_TICK_SECONDS = 0.2

# Envoy writes its lines out five times a second; the rest is a busy machine's share.
_LOG_SECONDS = 10.0

# The gateway's own retries, and a limit that Azure's Retry-After drags out, stay far below this.
_ANSWER_SECONDS = 600.0


@dataclass(frozen=True)
class Order:
    """What to rehearse. `within` and `at_most` are minutes; `client` is one of the settings', or empty."""

    root: Path
    environment: str
    folder: Path
    quota: AzureQuota | None = None
    client: str = ""
    within: float = 10.0
    at_most: float = 5.0
    launcher: LauncherChoice = "auto"

    @property
    def result_path(self) -> Path:
        """Where the result is written."""
        return self.root / "build" / "rehearse" / self.environment / RESULT_FILE


@dataclass
class Traffic:
    """What the client saw, request by request."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def hooks(self) -> dict[str, list[Callable[[Any], Any]]]:
        """For the HTTP library that OpenAI's package has chosen."""
        return {"request": [self._note_request], "response": [self._note_response]}

    async def _note_request(self, request: Any) -> None:
        self.sent += 1
        request.extensions["sent"] = time.monotonic()

    async def _note_response(self, response: Any) -> None:
        self.statuses[response.status_code] += 1
        if response.status_code == 200:
            self.seconds.append(time.monotonic() - response.request.extensions["sent"])


def find_client(settings: Settings, name: str) -> Client:
    """The client that indexes: the one named, else the one that is called roo, else the first."""
    names = [client.name for client in settings.clients]
    if name and name not in names:
        raise AigatewayError(
            f"--client {name}: {settings.environment} has no such client; it has {', '.join(names)}"
        )
    return settings.clients[names.index(name or ("roo" if "roo" in names else names[0]))]


def find_limit(settings: Settings, client: Client) -> EdgeLimit:
    """What one replica lets through of the client's requests for embeddings."""
    replicas = settings.scale.max_replicas
    share = settings.client_limit(client, "embeddings").divide(replicas)
    whole = settings.endpoint_limit("embeddings").divide(replicas)
    return EdgeLimit(
        client=client.name,
        requests_per_minute=share.requests_per_minute,
        burst=share.burst,
        # As the edge's buckets refill: aigateway.rendering.edge.
        steady_requests_per_minute=min(
            share.requests_per_minute - share.burst, whole.requests_per_minute - whole.burst
        ),
        replicas=replicas,
    )


def read_folder(folder: Path, console: Console, stopped: Event) -> tuple[Count, list[str]]:
    """Everything that Roo would send of a folder, and how much it is.

    Raises AigatewayError when there is nothing to index, KeyboardInterrupt when `stopped` was set meanwhile.
    """
    listing = list_files(folder)
    segments: list[str] = []
    files = empty = unreadable = 0
    approximated: Counter[str] = Counter()
    with _show_progress(console) as bars:
        task = bars.add_task("cutting files", total=len(listing.files), refused="")
        for path in listing.files:
            if stopped.is_set():
                raise KeyboardInterrupt
            bars.advance(task)
            extension = path.suffix.lower()
            try:
                # What is no UTF-8 Roo reads just so, binaries too.
                text = path.read_bytes().decode("utf-8", errors="replace")
            except OSError:
                unreadable += 1
                continue
            found = cut(extension, text)
            segments += found
            files += bool(found)
            empty += not found
            if found and find_way(extension) == "approximated":
                approximated[extension] += 1
    count = Count(
        folder=str(listing.root),
        files=files,
        segments=len(segments),
        characters=sum(map(len, segments)),
        tokens=sum(map(estimate_tokens, segments)),
        batches=len(gather_batches(segments)),
        empty=empty,
        unsupported=listing.unsupported,
        too_large=listing.too_large,
        unreadable=listing.unreadable + unreadable,
        cut_off=listing.cut_off,
        approximated=dict(sorted(approximated.items())),
    )
    if not segments:
        raise AigatewayError(
            f"{folder}: Roo would index nothing here: of the files that are not ignored, {count.unsupported} are of a "
            f"kind that it does not index, {count.too_large} over 1 MB, {count.unreadable} unreadable, {empty} give no "
            "segment of 50 characters; name the folder that is opened in the editor"
        )
    return count, segments


def count_only(order: Order, settings: Settings, console: Console) -> Rehearsal:
    """Only count; nothing is started."""
    with catch_signals() as stopped:
        count, _ = read_folder(order.folder, console, stopped)
    return _begin(order, settings, count)


def _begin(order: Order, settings: Settings, count: Count) -> Rehearsal:
    return Rehearsal(
        environment=settings.environment,
        started_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        count=count,
        limit=find_limit(settings, find_client(settings, order.client)),
        need=reckon_need(count, order.within),
        quota=order.quota,
    )


def rehearse(order: Order, rendering: Rendering, console: Console) -> Rehearsal:
    """Count, start the gateway, send for at most so long as ordered, and say what was seen and what follows.

    Ctrl-C and SIGTERM end it early, with what is known by then. Raises LaunchError when the gateway does not start or
    dies, KeyboardInterrupt when it was stopped before all was counted.
    """
    settings = rendering.settings
    client = find_client(settings, order.client)
    with catch_signals() as stopped:
        count, segments = read_folder(order.folder, console, stopped)
    begun = _begin(order, settings, count)
    # It may have to be installed, which an interrupt ends at once.
    launcher = choose_launcher(order.launcher, settings, console)
    with catch_signals() as stopped, run_stack(order.root, rendering, launcher) as stack:
        with console.status(f"starting the gateway ({launcher.name})"):
            stack.wait_until_ready(give_up=stopped.is_set)
        if not stopped.is_set():
            SimulatorControl(stack.simulator.control_url).limit(_to_quota(order.quota))
            begun = begun.model_copy(update=_send(order, stack, client, segments, console, stopped, begun))
    return begun


def _to_quota(quota: AzureQuota | None) -> Quota | None:
    if quota is None:
        return None
    return Quota(requests_per_minute=quota.requests_per_minute, tokens_per_minute=quota.tokens_per_minute)


def _send(
    order: Order,
    stack: Stack,
    client: Client,
    segments: Sequence[str],
    console: Console,
    stopped: Event,
    begun: Rehearsal,
) -> dict[str, Measured | Forecast]:
    """Send for a while, then ask all sides what they saw."""
    deadline = time.monotonic() + order.at_most * 60

    def ask_whether_to_end() -> End | None:
        for part in (stack.litellm, stack.edge):
            require_running(part, f"{part.name} died")
        if stopped.is_set():
            return "stopped"
        return "time" if time.monotonic() >= deadline else None

    with _show_progress(console) as bars:
        sending = Sending(
            stack.base_url,
            stack.keys.of(client),
            stack.rendering.settings.azure.embeddings.model,
            gather_batches(segments),
            _Bars(bars, bars.add_task("indexing", total=len(segments), refused="")).show,
        )
        asyncio.run(sending.run(ask_whether_to_end))
    edge = read_refusals(stack.edge.reference, sending.traffic.statuses[429])
    azure = SimulatorControl(stack.simulator.control_url).tally("embeddings")
    measured = sending.sum_up(edge, azure)
    floor = find_floor(begun.count, begun.limit, begun.quota)
    return {"measured": measured, "forecast": sending.foretell(begun.count, floor)}


class Sending:
    """One indexing under way: what has come of it so far."""

    def __init__(
        self,
        base_url: str,
        key: str,
        model: str,
        batches: Sequence[Sequence[str]],
        show: Callable[[Batch, Traffic], None] = lambda _batch, _traffic: None,
        clock: Clock | None = None,
    ) -> None:
        self.traffic = Traffic()
        self.ended: list[Batch] = []
        self.end: End = "done"
        self.seconds = 0.0
        #: Why the first request failed, with which Roo tries its settings; empty when it did not.
        self.refusal = ""
        self._address, self._key, self._model = f"{base_url}/v1", key, model
        self._batches = batches
        self._show = show
        self._clock = clock or RealClock()
        self._longest_back_off = 0.0

    async def run(self, ask_whether_to_end: Callable[[], End | None]) -> None:
        """Send all, or until `ask_whether_to_end`, which is asked five times a second, names a reason."""
        began = self._clock.now()
        client = openai.AsyncOpenAI(
            base_url=self._address,
            api_key=self._key,
            timeout=_ANSWER_SECONDS,
            # A proxy of this machine's has no business between it and itself.
            http_client=openai.DefaultAsyncHttpxClient(event_hooks=self.traffic.hooks, trust_env=False),
        )
        indexer = RooIndexer(client, self._model, clock=self._clock)

        def note(batch: Batch) -> None:
            self.ended.append(replace(batch, ended=batch.ended - began))
            self._show(batch, self.traffic)

        async def work() -> None:
            try:
                await indexer.validate()
            except openai.APIError as failure:
                self.refusal = describe(failure)
                return
            await indexer.index(self._batches, note)

        async with client:
            task = asyncio.create_task(work())
            try:
                while not task.done():
                    await asyncio.wait({task}, timeout=_TICK_SECONDS)
                    if not task.done() and (end := ask_whether_to_end()):
                        self.end = end
                        break
            finally:
                self.seconds = self._clock.now() - began
                self._longest_back_off = indexer.back_off.longest
                if not task.done():
                    task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def sum_up(self, edge: Counter[str], azure: dict[int, int]) -> Measured:
        """`edge`: whose the 429 were that the edge gave the client; `azure`: what the simulated Azure answered."""
        good = [batch for batch in self.ended if batch.vectors]
        failed = [batch for batch in self.ended if not batch.vectors]
        statuses = self.traffic.statuses
        return Measured(
            seconds=self.seconds,
            end=self.end,
            batches=len(self.ended),
            failed_batches=len(failed),
            segments=sum(batch.segments for batch in self.ended),
            failed_segments=sum(batch.segments for batch in failed),
            tokens=sum(batch.tokens for batch in good),
            requests=self.traffic.sent,
            refused=statuses[429],
            refused_by_edge=edge["edge"],
            passed_on=edge["azure"],
            azure_requests=sum(azure.values()),
            azure_refused=azure.get(429, 0),
            other_errors={
                str(status): number for status, number in sorted(statuses.items()) if status not in (200, 429)
            },
            unanswered=self.traffic.sent - statuses.total(),
            median_answer_seconds=statistics.median(self.traffic.seconds) if self.traffic.seconds else None,
            longest_back_off_seconds=self._longest_back_off,
            problem=self.refusal or (failed[-1].error if failed else ""),
        )

    def foretell(self, count: Count, floor_seconds: float) -> Forecast:
        """What follows for the whole, which cannot take less than `floor_seconds`."""
        if self.refusal:
            return Forecast(verdict="refused", basis="measured", seconds=None)
        return predict(count, self.ended, self.seconds, self._longest_back_off, floor_seconds)


def read_refusals(edge: PartReference, expected: int) -> Counter[str]:
    """Whose the 429 were that the edge's log tells of: `edge`, `azure` …; once it tells of as many as are expected."""
    found: Counter[str] = Counter()

    def is_complete() -> bool:
        found.clear()
        found.update(_list_refusals(edge.read_log()))
        return found.total() >= expected

    wait_until(is_complete, seconds=_LOG_SECONDS, every=0.2)
    return found


def _list_refusals(log: str) -> Iterator[str]:
    for line in log.splitlines():
        # The last line may still be being written.
        with contextlib.suppress(ValueError):
            read = json.loads(line) if line.startswith("{") else {}
            if read.get("status") == 429:
                yield read.get("failed") or ""


@dataclass(frozen=True)
class _Bars:
    bars: Progress
    task: TaskID

    def show(self, batch: Batch, traffic: Traffic) -> None:
        refused = traffic.statuses[429]
        self.bars.update(self.task, advance=batch.segments, refused=f"429: {refused}" if refused else "")


def _show_progress(console: Console) -> Progress:
    """Bars on a terminal; nothing where nobody looks."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[refused]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def save(rehearsal: Rehearsal, path: Path) -> None:
    """Write the result."""
    write_atomically(path, rehearsal.model_dump_json(indent=2) + "\n")
