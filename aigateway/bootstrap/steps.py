"""What a step found and would change, and the three ways to go through steps: change, plan, verify."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aigateway.commands import Command, run_settled
from aigateway.errors import AigatewayError


class ConflictError(AigatewayError):
    """Something is there that was not made here, and that nothing here may change; the message says what to do."""


class Mode(StrEnum):
    """What is done about what is missing."""

    CHANGE = "change"
    PLAN = "plan"
    VERIFY = "verify"


@dataclass(frozen=True)
class Change:
    """One command that is needed: what it is about, and whether that is missing or only differs.

    `learn` gets what the command printed.
    """

    what: str
    command: Command
    differs: bool = False
    learn: Callable[[str], None] = lambda _said: None


@dataclass(frozen=True)
class Note:
    """What somebody has to do who knows what nothing here does; it keeps nothing from going on."""

    what: str


@dataclass(frozen=True)
class Step:
    """One thing that has to be there; `inspect` asks, changes nothing, and says what is needed.

    It is asked when its turn comes: what earlier steps made has an id by then.
    """

    subject: str
    inspect: Callable[[], Sequence[Change | Note]]


@dataclass(frozen=True)
class Outcome:
    """How many things were there, how many were made or changed, or would be, and how many are in the way."""

    mode: Mode

    found: int = 0
    changes: int = 0
    conflicts: int = 0

    def __str__(self) -> str:
        verb = "made or changed" if self.mode is Mode.CHANGE else "to make or change"
        text = f"{self.found} found, {self.changes} {verb}"
        return f"{text}, {self.conflicts} in the way" if self.conflicts else text

    @property
    def good(self) -> bool:
        """Whether all is as it has to be; to plan, whether it can be."""
        return not self.conflicts and (self.mode is not Mode.VERIFY or not self.changes)


_VERBS = {
    Mode.CHANGE: ("made", "changed"),
    Mode.PLAN: ("would make", "would change"),
    Mode.VERIFY: ("missing", "differs"),
}


def take_steps(steps: Iterable[Step], mode: Mode, say: Callable[[str], None]) -> Outcome:
    """Go through steps in order; `say` gets a line for each thing that was found, made, missing …

    Raises AigatewayError where a command fails: what was done until then stays, and is found by the next run.
    To plan or verify, a conflict is one line among the others; to change, it is where it ends.
    """
    found = changes = conflicts = 0
    for step in steps:
        try:
            needed = step.inspect()
        except ConflictError as error:
            if mode is Mode.CHANGE:
                raise
            conflicts += 1
            say(_write("in the way", str(error)))
            continue
        if not needed:
            found += 1
            say(_write("found", step.subject))
        for change in needed:
            if isinstance(change, Note):
                say(_write("to do", change.what))
                continue
            if mode is Mode.CHANGE:
                change.learn(run_settled(change.command))
            changes += 1
            say(_write(_VERBS[mode][change.differs], change.what))
            if mode is Mode.PLAN:
                say(_write("", str(change.command)))
    return Outcome(mode, found, changes, conflicts)


def _write(verb: str, text: str) -> str:
    return f"{verb:<13}{text}"
