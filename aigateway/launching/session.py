"""`aigateway up`: a stack that runs until somebody stops it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from aigateway.launching.choice import LauncherChoice, choose_launcher
from aigateway.launching.parts import require_running
from aigateway.launching.ports import require_free_port
from aigateway.launching.stack import Stack, run_stack
from aigateway.rendering.renderer import Rendering
from aigateway.signals import catch_signals

_CHECK_SECONDS = 1.0


def run_until_stopped(
    root: Path,
    rendering: Rendering,
    launcher: LauncherChoice,
    port: int,
    console: Console,
    announce: Callable[[Stack], None],
) -> None:
    """Run a stack, call `announce` when it serves clients, and stop it at Ctrl-C or SIGTERM.

    Raises LaunchError when it does not start or a part of it dies.
    """
    if port:
        require_free_port(port)
    chosen = choose_launcher(launcher, rendering.settings, console)
    with catch_signals() as stopped, run_stack(root, rendering, chosen, port=port) as stack:
        with console.status(f"starting the gateway ({chosen.name})"):
            stack.wait_until_ready(give_up=stopped.is_set)
        if not stopped.is_set():
            announce(stack)
        while not stopped.wait(_CHECK_SECONDS):
            for part in (stack.litellm, stack.edge):
                require_running(part, f"{part.name} died")


def describe_access(stack: Stack) -> str:
    """What a person needs to point a client at the stack: address, key, and a command that works."""
    settings = stack.rendering.settings
    client = settings.clients[0]
    key = stack.keys.of(client)
    model = settings.azure.responses.model
    return f"""\
{settings.environment} gateway ({stack.launcher.name}), with a simulated Azure behind it

  base URL   {stack.base_url}/v1
  key        {key}   (client {client.name}; thrown away when this stops)
  models     {model}, {settings.azure.embeddings.model}

  curl {stack.base_url}/v1/responses -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' -d '{{"model": "{model}", "input": "Reply with exactly: it works"}}'

`aigateway clients {settings.environment} --base-url {stack.base_url}` prints settings for Roo, Codex CLI and others.
Ctrl-C stops it."""
