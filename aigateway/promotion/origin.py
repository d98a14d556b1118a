"""Who runs this: a job of GitHub Actions, or a person; and which repository the checkout is of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from aigateway.errors import AigatewayError
from aigateway.promotion.release import run_git

REPOSITORY_VARIABLE = "GITHUB_REPOSITORY"

_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
# git@github.com:OWNER/NAME.git, https://github.com/OWNER/NAME, ssh://git@github.com/OWNER/NAME
_REMOTE = re.compile(r"(?:.*@|https://)github\.com[:/](?P<repository>[^/]+/[^/]+?)(?:\.git)?/?")


class Origin(BaseModel):
    """The job of GitHub Actions that made something; all empty where a person made it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str = Field(default="", description="OWNER/NAME")
    run_url: str = Field(default="", description="page of the run, this attempt of it")
    workflow: str = Field(default="", description="the workflow's file and the ref that it is from")
    actor: str = Field(default="", description="who started the run")


def read_origin(variables: Mapping[str, str]) -> Origin:
    """The job that these environment variables are of.

    Variables: docs.github.com/actions/reference/workflows-and-actions/variables
    """
    if not is_job(variables):
        return Origin()
    repository = variables.get(REPOSITORY_VARIABLE, "")
    server = variables.get("GITHUB_SERVER_URL", "https://github.com")
    run, attempt = variables.get("GITHUB_RUN_ID", ""), variables.get("GITHUB_RUN_ATTEMPT", "1")
    return Origin(
        repository=repository,
        run_url=f"{server}/{repository}/actions/runs/{run}/attempts/{attempt}",
        workflow=variables.get("GITHUB_WORKFLOW_REF", ""),
        actor=variables.get("GITHUB_ACTOR", ""),
    )


def is_job(variables: Mapping[str, str]) -> bool:
    """Whether these are a job's environment variables."""
    return variables.get("GITHUB_ACTIONS") == "true"


def find_repository(root: Path, variables: Mapping[str, str], given: str = "") -> str:
    """The repository on GitHub, OWNER/NAME: the one given, the job's, or the one that `origin` is.

    Raises AigatewayError when none is known.
    """
    remote = _REMOTE.fullmatch(run_git(root, "remote", "get-url", "origin") or "")
    found = given or variables.get(REPOSITORY_VARIABLE) or (remote["repository"] if remote else "")
    if not _REPOSITORY.fullmatch(found):
        said = f"'{found}' is no repository" if found else "which repository on GitHub this is, is not known"
        raise AigatewayError(f"{said}; give it with --repository OWNER/NAME")
    return found
