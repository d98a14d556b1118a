"""Whether GitHub vouches for a file: a job of this repository's deployment made it, at this commit.

`gh attestation verify` asks GitHub for the attestations of the file's SHA-256, and checks their signatures. Its flags:
cli.github.com/manual/gh_attestation_verify
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

#: The workflow that attests evidence, on the only branch that deploys.
WORKFLOW = ".github/workflows/environment.yml"
BRANCH = "refs/heads/main"

#: Runs a command and gives its exit code and what it said of what went wrong; OSError where there is none such.
Runner = Callable[[Sequence[str]], tuple[int, str]]

_SECONDS = 60


@dataclass(frozen=True)
class Attestation:
    """What came of asking; `said` is why a file is not attested."""

    verified: bool
    said: str = ""


def run_command(command: Sequence[str]) -> tuple[int, str]:
    """The real runner."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return done.returncode, done.stderr.strip() or done.stdout.strip()


def verify_attestation(content: bytes, repository: str, commit: str, run: Runner) -> Attestation:
    """Ask whether a run at `commit` of `repository`'s WORKFLOW, on BRANCH, attested a file of this content.

    Whatever keeps the answer from being yes is a no.
    """
    if not commit:
        return Attestation(
            False, "this is no Git checkout, so no commit is known that could have been attested"
        )
    # A copy: a file that is changed after it was verified would be read with another content.
    with tempfile.TemporaryDirectory(prefix="aigateway-gate-") as folder:
        copy = Path(folder) / "evidence.json"
        copy.write_bytes(content)
        try:
            code, said = run(_write_command(copy, repository, commit))
        except FileNotFoundError:
            return Attestation(False, "gh, GitHub's command line, is not installed")
        except subprocess.TimeoutExpired:
            return Attestation(False, f"gh said nothing for {_SECONDS} s")
        except OSError as error:
            return Attestation(False, f"gh cannot be run: {error.strerror}")
    if code == 0:
        return Attestation(True)
    reason = " ".join(said.replace(str(copy), "the file").split())[:400]
    return Attestation(False, f"gh attestation verify says: {reason or f'nothing (exit code {code})'}")


def _write_command(path: Path, repository: str, commit: str) -> tuple[str, ...]:
    return (
        "gh",
        "attestation",
        "verify",
        str(path),
        f"--repo={repository}",
        f"--signer-workflow={repository}/{WORKFLOW}",
        f"--source-ref={BRANCH}",
        f"--source-digest={commit}",
    )
