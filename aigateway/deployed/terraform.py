"""What Terraform put out when it deployed an environment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from aigateway.errors import AigatewayError
from aigateway.terraform import ask_terraform


def read_outputs(root: Path, environment: str) -> Mapping[str, str]:
    """The outputs that are text, and as `name.key` those that are maps of it; none before it is deployed.

    Raises AigatewayError when Terraform is not there or cannot read its state.
    """
    said = ask_terraform(root, environment, "output", "-json")
    try:
        outputs = json.loads(said)
        return dict(_flatten({name: one["value"] for name, one in outputs.items()}))
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise AigatewayError(
            f"terraform says nothing that can be read about the outputs of {environment}"
        ) from error


def _flatten(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, str):
            yield f"{prefix}{name}", value
        elif isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
