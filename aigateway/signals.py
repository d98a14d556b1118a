"""Ending in order when told to end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_AGAIN_SECONDS = 0.05


@contextlib.contextmanager
def interrupt_on_terminate() -> Iterator[threading.Event]:
    """End at SIGTERM as at Ctrl-C, with everything stopped and removed.

    What it gives is set from then on, for whoever waits long: an interrupt can get lost in somebody else's code.
    """
    told = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        told.set()
        signal.default_int_handler(number, frame)

    with _handle(interrupt, signal.SIGTERM):
        yield told


@contextlib.contextmanager
def catch_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts as usual."""
    stopped = threading.Event()
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        stopped.set()
        signal.signal(number, previous[signal.Signals(number)])

    with _handle(note, *previous):
        yield stopped


@contextlib.contextmanager
def end_undisturbed() -> Iterator[None]:
    """Once what is inside ends, by whatever, SIGTERM says nothing new: what is then stopped and removed, is to its end.

    To be the innermost of what `interrupt_on_terminate` holds.
    """
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextlib.contextmanager
def hold_interrupts() -> Iterator[None]:
    """An interrupt, or SIGTERM, that comes meanwhile is raised at the end.

    For calls of code that makes another error of it, as pydantic does where it calls a function of Python's.
    """
    held: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        held.append(number)

    try:
        with _handle(note, signal.SIGINT, signal.SIGTERM):
            yield
    finally:
        if held:
            signal.raise_signal(held[0])


@contextlib.contextmanager
def _handle(handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals) -> Iterator[None]:
    """Have these signals handled so meanwhile, and as before at the end."""
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in previous.items():
            signal.signal(number, earlier)


def resend_lost_interrupts() -> None:
    """Have an interrupt that came where none can be raised, such as a finalizer, come again a moment later.

    Python only says that it ignored it (docs.python.org/3/library/sys.html#sys.unraisablehook), and a person would
    have to press Ctrl-C again.
    """
    tell = sys.unraisablehook

    def handle(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            tell(lost)
            return
        again = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = handle
