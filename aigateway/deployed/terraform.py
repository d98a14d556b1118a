"""What Terraform put out when it deployed an environment."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from aigateway.errors import AigatewayError

_SECONDS = 120


def read_outputs(root: Path, environment: str) -> Mapping[str, str]:
    """The outputs that are text, and as `name.key` those that are maps of it; none before it is deployed.

    Raises AigatewayError when Terraform is not there or cannot read its state.
    """
    folder = f"infra/env/{environment}"
    command = ("terraform", f"-chdir={folder}", "output", "-json", "-no-color")
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "TF_INPUT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise AigatewayError("terraform is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise AigatewayError(f"terraform said nothing for {_SECONDS} s about {folder}") from error
    if done.returncode != 0:
        raise AigatewayError(f"terraform cannot read the state of {folder}: {_find_error(done.stderr)}")
    try:
        outputs = json.loads(done.stdout)
        return dict(_flatten({name: one["value"] for name, one in outputs.items()}))
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise AigatewayError(f"terraform says nothing that can be read about {folder}") from error


def _flatten(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, str):
            yield f"{prefix}{name}", value
        elif isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")


def _find_error(said: str) -> str:
    lines = [line.strip("│╷╵ ") for line in said.splitlines()]
    return next((line for line in lines if line.startswith("Error")), "it does not say why").removeprefix(
        "Error: "
    )
