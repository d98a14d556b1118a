"""This machine's clock, against the Date of an answer (RFC 9110, 6.6.1)."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime

from aigateway.doctor.catalogue import CLOCK_OFF
from aigateway.doctor.results import Found, complain, leave_unchecked

# Microsoft Entra and most others let a clock be wrong by so much.
_TOLERANCE_SECONDS = 300


def judge_clock(date: str, now: datetime) -> Found:
    """Whether `now` is the time that `date`, a header of an answer that has just come, says."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return leave_unchecked("the answer has no Date" if not date else "its Date cannot be read")
    if theirs.tzinfo is None:
        return leave_unchecked("its Date says no time zone")
    off = (now - theirs).total_seconds()
    if abs(off) <= _TOLERANCE_SECONDS:
        return Found(f"within {max(1, round(abs(off)))} s")
    way = "ahead of" if off > 0 else "behind"
    return complain(CLOCK_OFF, f"it is {_say(abs(off))} {way} the Date of the answer")


def _say(seconds: float) -> str:
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {word}"
    return f"{seconds:.0f} seconds"
