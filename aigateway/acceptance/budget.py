"""The token budget of a run: what has been spent of it and what is reserved, in a file that its processes share."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from aigateway.acceptance.results import TargetName
from aigateway.errors import AigatewayError
from aigateway.waiting import wait_until

#: Of a deployed gateway; a local one's tokens cost nothing. Two of the largest requests that there can be fit at once.
DEFAULT_TOKENS = 1_000_000

# Wider than a tally's JSON gets. Each is written over the one before it, at once and as wide: an interrupt may end a
# process at any moment, and the others still have to find a whole tally.
_WIDTH = 200

# Longer than the other processes' requests take whose reservations are in the way.
_PATIENCE_SECONDS = 90.0


class Tally(BaseModel):
    """How a budget stands; `refused` counts the requests that did not fit."""

    tokens: int
    spent: int = 0
    reserved: int = 0
    refused: int = 0

    def format(self) -> str:
        """As it stands in the file."""
        return self.model_dump_json().ljust(_WIDTH)


class BudgetSpentError(Exception):
    """A request might cost more than what is left."""


def choose_budget(target: TargetName, given: int | None) -> int | None:
    """The tokens that a run may cost; none where it does not matter.

    Raises AigatewayError for a number that is no budget.
    """
    if given is not None and given < 1:
        raise AigatewayError(f"a token budget of {given} lets nothing run; give one above 0, or none")
    return given or (DEFAULT_TOKENS if target == "deployed" else None)


@contextmanager
def open_budget(tokens: int | None) -> Iterator[Budget | None]:
    """A budget of which nothing is spent, for the time of a run; none where it does not matter."""
    if tokens is None:
        yield None
        return
    with tempfile.NamedTemporaryFile("w", prefix="aigateway-budget-", suffix=".json") as file:
        file.write(Tally(tokens=tokens).format())
        file.flush()
        yield Budget(Path(file.name))


@dataclass(frozen=True)
class Budget:
    """What the processes of a run may spend together. What is reserved and never settled stays reserved."""

    path: Path

    def read(self) -> Tally:
        """How it stands now."""
        with self._change() as tally:
            return tally

    def reserve(self, tokens: int, *, patience: float = _PATIENCE_SECONDS) -> None:
        """Keep `tokens` for a request that is about to be sent; waits while only reservations are in the way.

        Raises BudgetSpentError when they are not there after `patience` seconds.
        """
        if not wait_until(lambda: self._try_to_reserve(tokens), seconds=patience):
            self._refuse(tokens)

    def _try_to_reserve(self, tokens: int) -> bool:
        with self._change() as tally:
            if tally.spent + tally.reserved + tokens <= tally.tokens:
                tally.reserved += tokens
                return True
            is_hopeless = tally.spent + tokens > tally.tokens
        if is_hopeless:
            self._refuse(tokens)
        return False

    def _refuse(self, tokens: int) -> None:
        with self._change() as tally:
            tally.refused += 1
        raise BudgetSpentError(
            f"the token budget is too small: {tally.spent:,} of {tally.tokens:,} are spent, "
            f"and the next request may cost up to {tokens:,}"
        )

    def settle(self, reserved: int, spent: int) -> None:
        """Put what a request has cost in the place of what was reserved for it."""
        with self._change() as tally:
            tally.reserved -= reserved
            tally.spent += spent

    @contextmanager
    def _change(self) -> Iterator[Tally]:
        with self.path.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            tally = Tally.model_validate_json(file.read())
            yield tally
            file.seek(0)
            file.write(tally.format())
