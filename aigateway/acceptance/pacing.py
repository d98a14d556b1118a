"""The pace of a run: the rate limit of the one client that all scenarios are, which none of them is meant to meet.

A token bucket for each endpoint as Envoy's, but slower, in a file for all processes that share a gateway: what paces
itself by it stays below the limit on whichever replica its requests end, and however they are delayed. It is fast
machines on which scenarios would else find a gateway that has had enough of them.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from aigateway.files import make_temporary_folder
from aigateway.rendering.edge import derive_edge
from aigateway.settings.model import Settings
from aigateway.settings.values import Endpoint
from aigateway.waiting import wait_until


def find_endpoint(path: str) -> Endpoint | None:
    """Whose limit a request to this path counts against, if any's; of a path that is not known, the scarcer one's."""
    if "embeddings" in path:
        return "embeddings"
    return "responses" if not path or "responses" in path or "completions" in path else None


class Pace(BaseModel):
    """To each endpoint a request each `interval` seconds, and after a time without any as many as `burst` at once."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    interval: float
    burst: int

    def wait_for_turn(self, endpoint: Endpoint) -> None:
        """Return when the next request may be sent there."""
        turn = self._take_turn(self.folder / endpoint)
        wait_until(lambda: time.time() >= turn, seconds=max(0.0, turn - time.time()))

    def _take_turn(self, path: Path) -> float:
        with path.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            turn = max(float(file.read()), time.time() - self.burst * self.interval)
            file.seek(0)
            file.truncate()
            file.write(repr(turn + self.interval))
        return turn


@contextmanager
def open_pace(settings: Settings, *, fresh: bool = False) -> Iterator[Pace]:
    """The pace of the client that the features are, for the time of a run.

    It begins with nothing saved up, unless the gateway is `fresh`: an earlier run may have just used it.
    """
    client = settings.clients[0].name
    buckets = [bucket for bucket in derive_edge(settings).buckets if bucket.client == client]
    interval = 60 / min(bucket.refill_per_minute for bucket in buckets)
    # The other half is for requests that were held up on their way, and come together.
    burst = min(bucket.burst for bucket in buckets) // 2
    with make_temporary_folder("pace") as folder:
        for bucket in buckets:
            (folder / bucket.endpoint).write_text(repr(0.0 if fresh else time.time()), encoding="utf-8")
        yield Pace(folder=folder, interval=interval, burst=burst)
