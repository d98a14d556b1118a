"""Ids of the form that the service gives to responses, items and calls."""

from __future__ import annotations

import secrets


def new_id(prefix: str) -> str:
    """`resp_…`, `msg_…`, `fc_…`: 48 hexadecimal digits after the prefix."""
    return f"{prefix}_{secrets.token_hex(24)}"


def new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"
