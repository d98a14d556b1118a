"""A plan as JSON, whichever of its two forms it is given in."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from aigateway.errors import ScanError

_SECONDS = 120


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
    folder = root / "infra" / "env" / environment
    try:
        done = subprocess.run(
            ["terraform", "show", "-json", str(plan)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise ScanError(
            "terraform is not installed, and reads the plan; or give --plan the JSON of it"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ScanError(f"{plan}: terraform did not show it within {_SECONDS} s") from error
    if done.returncode != 0:
        raise ScanError(
            f"{plan}: terraform cannot show it; run `terraform init` in {folder}:\n{done.stderr.strip()}"
        )
    return done.stdout
