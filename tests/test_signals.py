"""Interrupts that come at a bad moment."""

from __future__ import annotations

import os
import signal
from typing import Annotated

import pytest
from pydantic import BaseModel, PlainSerializer

from aigateway.signals import hold_interrupts, interrupt_on_terminate


def interrupt_itself(value: int) -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    return value


class Interrupting(BaseModel):
    value: Annotated[int, PlainSerializer(interrupt_itself)] = 1


def test_an_interrupt_is_held_until_the_end_of_what_would_make_another_error_of_it() -> None:
    written: list[str] = []
    with interrupt_on_terminate(), pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it comes at the end of the inner one
        with hold_interrupts():
            written.append(Interrupting().model_dump_json())
        written.append("too late")
    assert written == ['{"value":1}']
