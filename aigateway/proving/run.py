"""`aigateway prove`: breaks the gateway in every way of the catalogue, and sees whether the scenarios notice."""

from __future__ import annotations

import datetime
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import wait
from operator import itemgetter
from pathlib import Path
from typing import Self, cast

from rich.console import Console
from rich.markup import escape

from aigateway.acceptance.features import ScenarioKey, list_scenarios
from aigateway.acceptance.profiles import Profile, belongs
from aigateway.acceptance.results import ScenarioResult
from aigateway.errors import AigatewayError
from aigateway.files import write_atomically
from aigateway.launching.parts import LauncherName
from aigateway.proving.catalogue import SUFFIX, Sabotage, find_unproven, load_sabotages
from aigateway.proving.lane import Outcome, Trial, serve_lane
from aigateway.proving.results import ProofResult, SabotageResult
from aigateway.signals import interrupt_on_terminate

PROOF_FILE = "proof.json"

#: Each has a LiteLLM of its own.
_LANES = 3

_STOP_SECONDS = 30


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of all sabotages, `number` from 1, so that several machines can share them."""

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> Self:
        """The shard that `K/N` names. Raises AigatewayError where it names none."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise AigatewayError(f"{text!r} is no shard; must be K/N, as 2/3 for the second of three")
        return cls(int(number), int(count))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def choose(self, sabotages: Sequence[Sabotage]) -> Sequence[Sabotage]:
        """Those of `sabotages` that are in it."""
        return sabotages[self.number - 1 :: self.count]


@dataclass(frozen=True)
class Order:
    """What to prove: `keyword` chooses sabotages by a part of their titles, `shard` a part of those."""

    root: Path
    environment: str
    launcher: LauncherName
    profile: Profile = "core"
    keyword: str = ""
    shard: Shard | None = None

    @property
    def selection(self) -> str:
        """What was chosen, as options; empty for everything."""
        chosen = [f"-k {self.keyword}"] if self.keyword else []
        return " ".join([*chosen, f"--shard {self.shard}"] if self.shard else chosen)

    @property
    def path(self) -> Path:
        """Where the result goes."""
        return self.root / "build" / "prove" / self.environment / PROOF_FILE


def prove(order: Order, console: Console, sound: frozenset[ScenarioKey] = frozenset()) -> ProofResult:
    """Try the sabotages, showing each as it ends; writes the result.

    The scenarios concerned are run with nothing sabotaged first, all but those that are known to be `sound`.
    Raises AigatewayError when the catalogue cannot be used or a scenario is red with nothing sabotaged.
    """
    started = datetime.datetime.now(datetime.UTC)
    clock = time.monotonic()
    order.path.unlink(missing_ok=True)
    written = [scenario for scenario in list_scenarios(order.root) if belongs(scenario.tags, order.profile)]
    run = frozenset(scenario.key for scenario in written if "local" in scenario.tags)
    sabotages = load_sabotages(order.root, list_scenarios(order.root))
    chosen = [
        sabotage
        for sabotage in sabotages
        if order.keyword.lower() in sabotage.title.lower() and run & set(sabotage.turns_red)
    ]
    if order.shard:
        chosen = list(order.shard.choose(chosen))
    if not chosen:
        raise AigatewayError(
            f"no sabotage is chosen by {order.selection or order.profile}; their titles stand in features/*{SUFFIX}"
        )
    if sound:
        console.print(f"[dim]known to pass, by the last accept of this very commit: {len(sound)}[/]")
    found = {
        outcome.trial.sabotage.title: _judge(outcome.trial.sabotage, outcome)
        for outcome in _try_all(order, _plan(chosen, run, sound), console)
        if outcome.trial.sabotage
    }
    result = ProofResult(
        environment=order.environment,
        launcher=order.launcher,
        profile=order.profile,
        selection=order.selection,
        started_at=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 1),
        sabotages=tuple(found[sabotage.title] for sabotage in chosen),
        unproven=tuple(
            str(scenario.key) for scenario in find_unproven(written, sabotages) if scenario.key in run
        ),
    )
    write_atomically(order.path, result.model_dump_json(indent=2) + "\n")
    return result


def _plan(
    sabotages: Sequence[Sabotage], run: frozenset[ScenarioKey], sound: frozenset[ScenarioKey]
) -> list[Trial]:
    """First what is not known to be sound, unbroken, in as many parts as there are lanes; then each sabotage.

    What starts a LiteLLM keeps a core busy, the rest mostly waits: they are mixed evenly, so that both go on at once.
    Those with many scenarios come first, so that no lane is busy for long when the others have nothing left to do.
    """
    concerned = sorted({key for sabotage in sabotages for key in sabotage.turns_red} & run - sound)
    parts = min(_LANES, len(sabotages))
    unbroken = [Trial(frozenset(concerned[part::parts])) for part in range(parts)]
    ordered = sorted(sabotages, key=lambda sabotage: len(sabotage.turns_red), reverse=True)
    busy = [sabotage for sabotage in ordered if sabotage.changes_litellm]
    waiting = [sabotage for sabotage in ordered if not sabotage.changes_litellm]
    broken = [Trial(frozenset(sabotage.turns_red) & run, sabotage) for sabotage in _mix(busy, waiting)]
    return [*(trial for trial in unbroken if trial.scenarios), *broken]


def _mix(*groups: Sequence[Sabotage]) -> list[Sabotage]:
    """All of them, each group spread evenly over the whole."""
    placed = [(index / len(group), one) for group in groups for index, one in enumerate(group)]
    return [one for _, one in sorted(placed, key=itemgetter(0))]


def _try_all(order: Order, trials: Sequence[Trial], console: Console) -> Iterator[Outcome]:
    """Share the trials among the lanes; raises AigatewayError when a lane cannot work, or nothing is sound."""
    waiting = list(trials)
    done = 0
    count = min(_LANES, len(trials))
    console.print(f"[dim]starting {count} gateways ({order.launcher})[/]")
    with ExitStack() as undo:
        undo.enter_context(interrupt_on_terminate())
        lanes = [undo.enter_context(_Lane(order)) for _ in range(count)]
        by_connection = {lane.connection: lane for lane in lanes}
        for lane in lanes:
            lane.connection.send(waiting.pop(0))
        while done < len(trials):
            for connection in wait(list(by_connection)):
                outcome = by_connection[connection].receive()  # type: ignore[index] # they are connections
                done += 1
                _require_sound(outcome)
                _show(outcome, f"{done:>{len(str(len(trials)))}}/{len(trials)}", console)
                yield outcome
                if waiting:
                    by_connection[connection].connection.send(waiting.pop(0))  # type: ignore[index] # as above


class _Lane:
    """The process of a lane, and this end of the connection to it."""

    def __init__(self, order: Order) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, self._theirs = context.Pipe()
        self._process = context.Process(
            target=serve_lane,
            args=(self._theirs, order.root, order.environment, order.launcher),
            daemon=False,
        )

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Have the lane stop what it started; at once when the run is given up."""
        self.connection.close()
        if error is None:
            self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(_STOP_SECONDS)

    def receive(self) -> Outcome:
        """The next outcome."""
        try:
            received = self.connection.recv()
        except EOFError as error:
            raise AigatewayError("a process that tried sabotages has died; run it again") from error
        if isinstance(received, AigatewayError):
            raise received
        return cast("Outcome", received)


def _require_sound(outcome: Outcome) -> None:
    if outcome.trial.sabotage:
        return
    if outcome.problem:
        raise AigatewayError(outcome.problem)
    red = [
        f"{key}: {_describe(outcome.results.get(key))}"
        for key in sorted(outcome.trial.scenarios)
        if _describe(outcome.results.get(key)) != "passed"
    ]
    if red:
        listed = "\n  ".join(red)
        raise AigatewayError(
            "with nothing sabotaged these did not pass, so that nothing can be proven; see aigateway accept:\n"
            f"  {listed}"
        )


def _describe(result: ScenarioResult | None) -> str:
    if result is None:
        return "did not run"
    return result.verdict if not result.reason else f"{result.verdict}: {result.reason[:200]}"


def _judge(sabotage: Sabotage, outcome: Outcome) -> SabotageResult:
    ended = {key: _describe(outcome.results.get(key)) for key in sorted(outcome.trial.scenarios)}
    red = [key for key, end in ended.items() if end.startswith("failed")]
    return SabotageResult(
        sabotage=sabotage.title,
        how=sabotage.how,
        noticed_by=tuple(map(str, red)),
        failed_steps={str(key): outcome.results[key].step for key in red},
        unnoticed_by=()
        if outcome.problem
        else tuple(f"{key}: {end}" for key, end in ended.items() if key not in red),
        problem=outcome.problem,
        seconds=round(outcome.seconds, 1),
    )


def _show(outcome: Outcome, count: str, console: Console) -> None:
    if outcome.trial.sabotage is None:
        console.print(f"[green]✓[/] {count} {len(outcome.results)} scenarios pass with nothing sabotaged")
        return
    result = _judge(outcome.trial.sabotage, outcome)
    mark = "[green]✓[/]" if result.killed else "[red]✗[/]"
    console.print(
        f"{mark} {count} {escape(result.sabotage)} "
        f"[dim]{len(result.noticed_by)} red, {result.seconds:.1f} s[/]",
        highlight=False,
    )


def list_survivors(result: ProofResult) -> Iterator[str]:
    """Each sabotage that was not noticed by all who had to, and each scenario that notices none."""
    for one in result.sabotages:
        if not one.killed:
            yield "\n    ".join(
                (f"survived: {one.sabotage}", *filter(None, (one.problem,)), *one.unnoticed_by)
            )
    if not result.selection:
        for scenario in result.unproven:
            yield f"no sabotage turns this red: {scenario}; write one into features/NAME{SUFFIX}"
