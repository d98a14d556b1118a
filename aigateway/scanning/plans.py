"""A plan as JSON, whichever of its two forms it is given in."""

from __future__ import annotations

import json
from pathlib import Path

from aigateway.errors import AigatewayError, ScanError
from aigateway.terraform import ask_terraform


def prepare_plan(root: Path, environment: str, plan: Path, temporary: Path) -> Path:
    """A JSON file in `temporary` with `plan`, which is what `terraform plan -out` or `terraform show -json` wrote.

    Raises ScanError when it is neither, or is of another environment.
    """
    try:
        content = plan.read_bytes()
    except OSError as error:
        raise ScanError(f"{plan}: cannot be read: {error.strerror}") from error
    text = (
        _show(root, environment, plan.absolute())
        if content.startswith(b"PK")
        else content.decode(errors="replace")
    )
    try:
        said = json.loads(text)
        resources = said["resource_changes"]
        planned = said["variables"]["environment"]["value"]
    except (ValueError, KeyError, TypeError) as error:
        raise ScanError(
            f"{plan}: is no plan; give what `terraform plan -out=FILE` or `terraform show -json FILE` wrote"
        ) from error
    if planned != environment:
        raise ScanError(f"{plan}: is a plan of {planned}, and not of {environment}")
    if not resources:
        raise ScanError(f"{plan}: has no resource to scan")
    file = temporary / "plan.json"
    file.write_text(text, encoding="utf-8")
    return file


def _show(root: Path, environment: str, plan: Path) -> str:
    try:
        return ask_terraform(root, environment, "show", "-json", str(plan))
    except AigatewayError as error:
        raise ScanError(
            f"{plan}: cannot be read: {error}; run terraform init there, or give the JSON of it"
        ) from error
