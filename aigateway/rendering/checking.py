"""Envoy's own opinion of a rendered config, before it is written."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from aigateway.errors import RenderError
from aigateway.launching import runtime
from aigateway.launching.commands import ADDRESS_VARIABLES, find_placeholders
from aigateway.rendering.renderer import ENVOY, Rendering

_SECONDS = 30
_STAND_INS = {"EDGE_ADDRESS": "127.0.0.1", "EDGE_PORT": "10000", "LITELLM_PORT": "4000"}


def check_envoy(renderings: Iterable[Rendering], console: Console) -> None:
    """Have `envoy --mode validate` read each rendering's config, with stand-ins for its keys.

    Raises RenderError with what Envoy says. Installs the runtime if it is not here yet.
    """
    envoy = runtime.ensure(console).envoy
    for rendering in renderings:
        complaint = _validate(envoy, _fill(rendering.texts[ENVOY]))
        if complaint:
            raise RenderError(
                f"templates/{ENVOY}.j2: Envoy refuses it for {rendering.settings.environment}: {complaint}"
            )


def _fill(config: str) -> str:
    for number, name in enumerate(find_placeholders(config)):
        value = _STAND_INS[name] if name in ADDRESS_VARIABLES else f"{number:040d}"
        config = config.replace(f"${{{name}}}", value)
    return config


def _validate(envoy: Path, config: str) -> str:
    """What is wrong with `config`, or nothing."""
    with tempfile.TemporaryDirectory(prefix="aigateway-check-") as folder:
        path = Path(folder) / "envoy.yaml"
        path.write_text(config, encoding="utf-8")
        done = subprocess.run(
            [envoy, "--mode", "validate", "--config-path", path, "--log-level", "critical"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    if done.returncode == 0:
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    # Envoy ends with the whole config, on the same line.
    return lines[-1].partition('): {"')[0] if lines else f"exit code {done.returncode}"
