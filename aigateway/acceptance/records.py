"""What one scenario did, second by second: its steps, what its clients sent and got, the faults it asked Azure for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

#: `skipped`: not reached.
StepVerdict = Literal["passed", "failed", "skipped"]

#: How an answer ended. `left`: the client did not want the rest. `broken`: it broke off. `none`: there was none.
End = Literal["whole", "left", "broken", "none"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Frozen):
    """A step; `started` counts from the scenario's beginning."""

    keyword: str
    text: str
    line: int
    table: tuple[tuple[str, ...], ...] = ()
    docstring: str = ""
    verdict: StepVerdict = "skipped"
    started: float = 0.0
    seconds: float = 0.0


class Excerpt(_Frozen):
    """A body of `size` bytes: all of it, or its beginning and its end."""

    head: str = ""
    tail: str = ""
    size: int = 0

    @property
    def omitted(self) -> bool:
        """Whether something is missing between the two."""
        return bool(self.tail)


class Message(_Frozen):
    """A request, or the answer to one."""

    headers: tuple[tuple[str, str], ...] = ()
    body: Excerpt = Excerpt()


class Exchange(_Frozen):
    """A request and its answer. `request` and `response` are kept of the first ones of each kind alone."""

    method: str
    path: str
    started: float
    status: int | None = None
    end: End = "none"
    first_byte_seconds: float | None = None
    seconds: float | None = None
    request_id: str = ""
    request: Message | None = None
    response: Message | None = None

    @property
    def endpoint(self) -> str:
        """What was asked for, without what only this request has."""
        return f"{self.method} {self.path.partition('?')[0]}"


class Injection(_Frozen):
    """A fault that the simulated Azure was asked for, for whoever sends `marker`; for everybody without one."""

    fault: str
    parameters: Mapping[str, str | int | float | bool | None]
    marker: str | None
    started: float


class Origin(_Frozen):
    """Where a scenario is written."""

    uri: str
    feature: str
    feature_line: int
    feature_description: str
    keyword: str
    line: int
    description: str
    tags: tuple[str, ...]


class Record(_Frozen):
    """What a scenario did. `started` is the time of day in seconds since 1970.

    What was too much to keep is counted in `more_exchanges` and `more_injections`.
    """

    origin: Origin
    started: float
    steps: tuple[Step, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    more_exchanges: int = 0
    injections: tuple[Injection, ...] = ()
    more_injections: int = 0
