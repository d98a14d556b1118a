"""What a part of an indexing says of the whole: how long it takes, whether Roo gives it up, and what it needs.

Pure: figures in, figures out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from aigateway.rehearsing.results import AzureQuota, Count, EdgeLimit, Forecast, Need
from aigateway.rehearsing.roo import MOST_FAILED_SHARE, Batch

#: The first minute is none like the others: bursts and Azure's window are still full.
SETTLING_SECONDS = 60.0

#: The rest is reckoned from what was seen for at least so long after that.
_LEAST_STEADY_SECONDS = 60.0


def find_floor(count: Count, limit: EdgeLimit, quota: AzureQuota | None) -> float:
    """Seconds that the whole takes at least, whatever Roo does: the limits let no more through.

    The edge gives its burst and then trickles; Azure gives its quota anew in each window of a minute.
    """
    requests = count.batches + 1  # the first tries the settings
    floors = [60 * (requests - limit.burst) / limit.steady_requests_per_minute]
    if quota:
        floors.append(60 * (math.ceil(requests / quota.requests_per_minute) - 1))
        floors.append(60 * (math.ceil(count.tokens / quota.tokens_per_minute) - 1))
    return max(0.0, *floors)


def predict(
    count: Count, ended: Sequence[Batch], seconds: float, back_off_seconds: float, floor_seconds: float = 0
) -> Forecast:
    """The whole indexing, of which the batches `ended` within `seconds`; each `Batch.ended` counts from the start.

    The shared back-off lasted `back_off_seconds` at the longest. The rest is reckoned with the rate of what ended after
    the first minute; where less than another minute was seen, with that of all. The whole never takes less than
    `floor_seconds`.
    """
    failed = sum(batch.segments for batch in ended if not batch.vectors)
    left = count.segments - sum(batch.segments for batch in ended)
    if left <= 0:
        return _conclude(count, failed, Forecast(verdict="finishes", basis="measured", seconds=seconds))
    settled = seconds >= SETTLING_SECONDS + _LEAST_STEADY_SECONDS
    since = SETTLING_SECONDS if settled else 0.0
    steady = [batch for batch in ended if batch.ended >= since]
    moved = sum(batch.segments for batch in steady)
    if not moved:
        # What has failed cannot be undone.
        lost = failed / count.segments > MOST_FAILED_SHARE
        return Forecast(
            verdict="aborts" if lost else "unknown",
            basis="measured",
            seconds=None,
            failed_share=failed / count.segments,
            caution=f"no batch ended in the last {seconds - since:.0f} s; try a longer --at-most",
        )
    rest = max(left / moved * (seconds - since), floor_seconds - seconds)
    failing = sum(batch.segments for batch in steady if not batch.vectors) / moved
    return _conclude(
        count,
        failed + left * failing,
        Forecast(
            verdict="finishes",
            basis="extrapolated",
            seconds=seconds + rest,
            extrapolated_seconds=rest,
            steady_batches_per_minute=60 * len(steady) / (seconds - since),
            steady_from_seconds=since,
            caution=_find_caution(settled=settled, seconds=seconds, back_off_seconds=back_off_seconds),
        ),
        certain=failed / count.segments > MOST_FAILED_SHARE,
    )


def _conclude(count: Count, failed: float, forecast: Forecast, *, certain: bool = False) -> Forecast:
    """Roo looks at its failures when everything has been sent."""
    share = failed / count.segments if count.segments else 0.0
    aborts = certain or share > MOST_FAILED_SHARE
    return forecast.model_copy(
        update={
            "failed_share": min(1.0, share),
            "verdict": "aborts" if aborts else "finishes",
            "basis": "measured" if certain else forecast.basis,
        }
    )


def _find_caution(*, settled: bool, seconds: float, back_off_seconds: float) -> str:
    if not settled:
        return f"only {seconds:.0f} s were measured, the first burst included: it is likely to take longer than this"
    if back_off_seconds > (seconds - SETTLING_SECONDS) / 2:
        return (
            f"Roo held everything back for up to {back_off_seconds:.0f} s, long against what was measured: try a "
            "longer --at-most"
        )
    return ""


def reckon_need(count: Count, minutes: float) -> Need:
    """The least that lets the whole through in so many minutes."""
    return Need(
        minutes=minutes,
        tokens_per_minute=math.ceil(count.tokens / minutes),
        requests_per_minute=math.ceil(count.batches / minutes),
    )
