"""One command line of `az` or `gh`: run, its answer checked, its failure explained."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from aigateway.errors import AigatewayError
from aigateway.settings.leaks import mask
from aigateway.waiting import wait_until

Program = Literal["az", "gh"]

# To register a resource provider takes minutes.
_SECONDS = 900
# What was made a moment ago is not known to every server of Azure; it takes a minute at most, mostly.
_SETTLING_SECONDS = 120.0
_SETTLING_PAUSE_SECONDS = 5.0
_LONGEST_EXCERPT = 300

#: Terraform's subscription, where somebody says which. `az` has a default of its own, which may be another.
SUBSCRIPTION_VARIABLE = "ARM_SUBSCRIPTION_ID"

_INSTALL = {
    "az": "https://learn.microsoft.com/cli/azure/install-azure-cli",
    "gh": "https://cli.github.com",
}
_LOGIN = {"az": "az login", "gh": "gh auth login"}

# No questions, colours, pages or news between the lines that are read.
_QUIET = {
    "AZURE_CORE_NO_COLOR": "1",
    "AZURE_CORE_ONLY_SHOW_ERRORS": "1",
    "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
    "GH_NO_UPDATE_NOTIFIER": "1",
    "GH_PROMPT_DISABLED": "1",
    "NO_COLOR": "1",
}

_LOGGED_OUT = re.compile(r"\baz login\b|\bgh auth login\b|AADSTS\d+|HTTP 401", re.IGNORECASE)
_FORBIDDEN = re.compile(
    r"AuthorizationFailed|Authorization_RequestDenied|Insufficient privileges|does not have authorization"
    r"|HTTP 403|Resource not accessible|Must have admin rights",
    re.IGNORECASE,
)
_UNSETTLED = re.compile(
    r"PrincipalNotFound|RoleDefinitionDoesNotExist|NoBackingApplicationObject|Request_ResourceNotFound"
    r"|reference-property objects are not present|backing application",
    re.IGNORECASE,
)


class Shape(BaseModel):
    """What is read of an answer in JSON; the rest of it is let be."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class UnsettledError(AigatewayError):
    """Azure does not know yet what was made a moment ago."""


@dataclass(frozen=True)
class Command:
    """A command line, what is on its standard input, and the right that it takes, in words."""

    program: Program
    arguments: tuple[str, ...]
    right: str
    body: str = ""

    def __str__(self) -> str:
        line = shlex.join((self.program, *self.arguments))
        return f"{line} <<< {shlex.quote(self.body)}" if self.body else line

    @property
    def name(self) -> str:
        """What a message calls it: the program and its first words."""
        words: list[str] = []
        for word in self.arguments:
            if word.startswith("-") or len(words) == 4:
                break
            words.append(word)
        return " ".join((self.program, *words))


def make_az(*arguments: str, right: str) -> Command:
    """A command of `az` in Terraform's subscription, where that is said."""
    subscription = os.environ.get(SUBSCRIPTION_VARIABLE, "")
    return Command("az", (*arguments, *(("--subscription", subscription) if subscription else ())), right)


def ask(command: Command, shape: Any) -> Any:
    """The answer of a command that prints JSON, as `shape`.

    Raises AigatewayError as `run` does, and when the answer is not of that shape.
    """
    return read(command, run(command), shape)


def read(command: Command, said: str, shape: Any) -> Any:
    """What a command said, as `shape`; raises AigatewayError when it is not."""
    try:
        return TypeAdapter(shape).validate_json(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise AigatewayError(
            f"{command.name} gave an unexpected answer ({f'{where}: ' if where else ''}{first['msg']}): "
            f"{mask(_shorten(said)) or 'nothing'}; nothing was changed after it. Is the {command.program} that is "
            "installed a current one?"
        ) from error


def run(command: Command) -> str:
    """What a command prints.

    Raises AigatewayError when it fails, with what to do, and UnsettledError when it may succeed in a moment.
    """
    program = command.program
    try:
        done = subprocess.run(
            (program, *command.arguments),
            env={**os.environ, **_QUIET},
            input=command.body,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise AigatewayError(f"{program} is not installed; {_INSTALL[program]}") from error
    except subprocess.TimeoutExpired as error:
        raise AigatewayError(f"{command.name} did not end within {_SECONDS} s; run it all again") from error
    if done.returncode != 0:
        raise _explain(command, done.returncode, done.stderr.strip() or done.stdout.strip())
    return done.stdout


def run_settled(command: Command) -> str:
    """As `run`, and again for as long as what it builds on is only a moment old."""
    said = ""
    failure: UnsettledError | None = None

    def try_once() -> bool:
        nonlocal said, failure
        try:
            said = run(command)
        except UnsettledError as error:
            failure = error
            return False
        return True

    if not wait_until(try_once, seconds=_SETTLING_SECONDS, every=_SETTLING_PAUSE_SECONDS):
        raise AigatewayError(f"{failure}; run it all again") from failure
    return said


def _explain(command: Command, code: int, said: str) -> AigatewayError:
    shown = mask(_shorten(said)) or f"exit code {code}"
    # First, since a missing right is at times told with the advice to log in again.
    if _FORBIDDEN.search(said):
        return AigatewayError(
            f"{command.name} was refused: whoever is logged in may not; it takes {command.right} ({shown})"
        )
    if _LOGGED_OUT.search(said) or (command.program == "gh" and code == 4):
        return AigatewayError(
            f"{command.program} is not logged in, or its login has expired; run: {_LOGIN[command.program]} ({shown})"
        )
    failure = f"{command.name} failed: {shown}"
    return UnsettledError(failure) if _UNSETTLED.search(said) else AigatewayError(failure)


def _shorten(said: str) -> str:
    """The line that says what is wrong, at most as long as a message can be."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("ERROR", "(", "gh:"))]
    return (telling or lines or [""])[0].removeprefix("ERROR: ")[:_LONGEST_EXCERPT]
