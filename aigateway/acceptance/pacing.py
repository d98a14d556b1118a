"""The pace of a run against a deployed gateway: its own client's rate limit, which no scenario is meant to meet there.

A token bucket as Envoy's, but one for all requests and slower, in a file that the run's processes share: what paces
itself by it stays below the limit on whichever replica and endpoint its requests end, and however they are delayed.
"""

from __future__ import annotations

import fcntl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from aigateway.rendering.edge import derive_edge
from aigateway.settings.model import Settings
from aigateway.waiting import wait_until


class Pace(BaseModel):
    """A request each `interval` seconds, and after a time without any as many as `burst` at once."""

    model_config = ConfigDict(frozen=True)

    path: Path
    interval: float
    burst: int

    def wait_for_turn(self) -> None:
        """Return when the next request may be sent."""
        turn = self._take_turn()
        wait_until(lambda: time.time() >= turn, seconds=max(0.0, turn - time.time()))

    def _take_turn(self) -> float:
        with self.path.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            turn = max(float(file.read()), time.time() - self.burst * self.interval)
            file.seek(0)
            file.truncate()
            file.write(repr(turn + self.interval))
        return turn


@contextmanager
def open_pace(settings: Settings) -> Iterator[Pace]:
    """The pace of the client that the features are, for the time of a run.

    It begins with nothing saved up: an earlier run may have just used it.
    """
    client = settings.clients[0].name
    buckets = [bucket for bucket in derive_edge(settings).buckets if bucket.client == client]
    interval = 60 / min(bucket.refill_per_minute for bucket in buckets)
    # The other half is for requests that were held up on their way, and come together.
    burst = min(bucket.burst for bucket in buckets) // 2
    with tempfile.NamedTemporaryFile("w", prefix="aigateway-pace-") as file:
        file.write(repr(time.time()))
        file.flush()
        yield Pace(path=Path(file.name), interval=interval, burst=burst)
