"""Terraform's command line, run in the root of an environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from aigateway.errors import AigatewayError

#: Between `terraform` and the end of what is only asked of it.
_SECONDS = 120


def locate_root(environment: str) -> Path:
    """The folder of an environment's root, from the checkout's."""
    return Path("infra/env") / environment


def ask_terraform(root: Path, environment: str, *arguments: str) -> str:
    """What a command prints that only reads.

    Raises AigatewayError when Terraform is not there, fails, or does not end.
    """
    try:
        done = subprocess.run(
            _write_command(environment, arguments),
            cwd=root,
            env=_quiet({}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise AigatewayError("terraform is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise AigatewayError(f"terraform {arguments[0]} said nothing for {_SECONDS} s") from error
    if done.returncode != 0:
        problem = _find_error(done.stderr)
        # What it would say to do, `terraform init`, is not enough: it has to be told where the state is.
        hint = f"; run first: aigateway plan {environment}" if "initialization required" in problem else ""
        folder = locate_root(environment)
        raise AigatewayError(f"terraform {arguments[0]} failed in {folder}: {problem}{hint}")
    return done.stdout


def run_terraform(
    root: Path, environment: str, *arguments: str, variables: Mapping[str, str] | None = None
) -> int:
    """Run a command, shown as it goes; gives its exit code, which only -detailed-exitcode makes other than 0.

    `variables` are environment variables of its own: what must not be in its arguments, which others can see.
    Raises AigatewayError when Terraform is not there or fails.
    """
    try:
        done = subprocess.run(
            _write_command(environment, arguments),
            cwd=root,
            env=_quiet(variables or {}),
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as error:
        raise AigatewayError("terraform is not installed") from error
    changed = 2 if "-detailed-exitcode" in arguments else 0
    if done.returncode not in {0, changed}:
        raise AigatewayError(
            f"terraform {arguments[0]} failed in {locate_root(environment)}; what it said stands above"
        )
    return done.returncode


def _write_command(environment: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    name, *others = arguments
    return ("terraform", f"-chdir={locate_root(environment)}", name, "-no-color", *others)


def _quiet(variables: Mapping[str, str]) -> Mapping[str, str]:
    return {**os.environ, "TF_INPUT": "0", "TF_IN_AUTOMATION": "1", **variables}


def _find_error(said: str) -> str:
    lines = [line.strip("│╷╵ ") for line in said.splitlines()]
    found = next((line for line in lines if line.startswith("Error")), "it does not say why")
    return found.removeprefix("Error: ")
