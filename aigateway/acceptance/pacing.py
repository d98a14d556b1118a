"""The pace of a run: the rate limit of the one client that all scenarios are, which none of them is meant to meet.

Token buckets as Envoy's, but with half of the burst, in files for all processes that share a gateway: what paces itself
by them stays below the limit on whichever replica its requests end, and however they are delayed. It is fast machines
on which scenarios would else find a gateway that has had enough of them.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from aigateway.files import make_temporary_folder
from aigateway.rendering.edge import Route, derive_edge
from aigateway.settings.model import Settings
from aigateway.waiting import wait_until


class Pace(BaseModel):
    """To each endpoint of each gateway a request each `interval` seconds, and after a time without any as many as
    `burst` at once; before `began`, Unix time, nothing was saved up.

    Only requests for `routes` count.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    interval: float
    burst: int
    routes: tuple[Route, ...]
    began: float = 0.0

    def wait_for_turn(self, address: str, method: str, path: str) -> None:
        """Return when such a request may be sent to the gateway with this host and port."""
        endpoint = next((route.endpoint for route in self.routes if route.matches(method, path)), None)
        if endpoint:
            turn = self._take_turn(self.folder / f"{endpoint}-{address}")
            wait_until(lambda: time.time() >= turn, seconds=max(0.0, turn - time.time()))

    def _take_turn(self, path: Path) -> float:
        with path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            turn = max(float(file.read() or self.began), time.time() - self.burst * self.interval)
            file.truncate(0)
            file.write(repr(turn + self.interval))
        return turn


@contextmanager
def open_pace(settings: Settings, *, fresh: bool = False) -> Iterator[Pace]:
    """The pace of the client that the features are, for the time of a run.

    It begins with nothing saved up, unless its gateways are `fresh`: an earlier run may have just used them.
    """
    edge = derive_edge(settings)
    client = settings.clients[0].name
    buckets = [bucket for bucket in edge.buckets if bucket.client == client]
    with make_temporary_folder("pace") as folder:
        yield Pace(
            folder=folder,
            interval=60 / min(bucket.refill_per_minute for bucket in buckets),
            # The other half is for requests that were held up on their way, and come together.
            burst=min(bucket.burst for bucket in buckets) // 2,
            routes=tuple(route for route in edge.routes if route.limited),
            began=0.0 if fresh else time.time(),
        )
