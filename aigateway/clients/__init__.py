"""Settings that point clients at a gateway that conforms."""

from __future__ import annotations

from typing import Literal, get_args

Client = Literal["roo", "roo-compatible", "qoder", "codex", "cline", "opencode", "kilo", "continue", "openai"]
CLIENTS: tuple[Client, ...] = get_args(Client)
