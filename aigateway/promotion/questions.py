"""Puts the gate's question: reads the evidence, the checkout and the clock, and asks GitHub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from aigateway.acceptance.features import list_scenarios
from aigateway.digests import hash_bytes
from aigateway.errors import AigatewayError
from aigateway.promotion.attestation import Runner, verify_attestation
from aigateway.promotion.gate import Question, Submission
from aigateway.promotion.origin import find_repository, is_job
from aigateway.promotion.release import describe_release, describe_sibling
from aigateway.rendering.renderer import render_settings
from aigateway.settings.loading import load_environment
from aigateway.settings.values import ENVIRONMENTS

# A run of all features has some 300 kB of evidence.
_LARGEST_BYTES = 16 * 1024 * 1024


def put_question(
    root: Path,
    environment: str,
    paths: Sequence[Path],
    repository: str,
    variables: Mapping[str, str],
    run: Runner | None,
) -> Question:
    """May what the checkout at `root` has be deployed to `environment`, seen the evidence at `paths`?

    `variables` are the environment's; without `run` GitHub is not asked, which a job must not do. Raises AigatewayError
    when there is no environment before, or a file cannot be read or rendered.
    """
    here = load_environment(root, environment)
    before = ENVIRONMENTS[: ENVIRONMENTS.index(here.environment)]
    if not before:
        raise AigatewayError(f"{environment} is the first environment: nothing has to be proven before it")
    if run is None and is_job(variables):
        raise AigatewayError(
            "--allow-unattested is for a laptop; in a job, hand in the evidence that was attested"
        )
    release = describe_release(root, here)
    settings = {name: load_environment(root, name) for name in before}
    releases = {name: describe_sibling(root, release, one) for name, one in settings.items()}
    owner = find_repository(root, variables, repository) if run else ""
    contents = [(path, _read(path)) for path in paths]
    texts = render_settings(root, here).texts
    return Question(
        environment=here.environment,
        submissions=tuple(
            Submission(
                str(path), content, verify_attestation(content, owner, release.commit, run) if run else None
            )
            for path, content in contents
        ),
        settings={**settings, here.environment: here},
        releases={**releases, here.environment: release},
        rendered={name: hash_bytes(text.encode()) for name, text in texts.items()},
        scenarios=list_scenarios(root),
        repository=owner,
        now=datetime.now(UTC),
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}; is it the evidence?") from error
    if len(content) > _LARGEST_BYTES:
        raise AigatewayError(f"{path}: is larger than {_LARGEST_BYTES >> 20} MiB; no evidence is")
    return content
