"""What is committed, or would be, as a copy for checkov: with something planted in it that it has to find."""

from __future__ import annotations

import re
import secrets
import shutil
import string
import subprocess
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from aigateway.digests import hash_files
from aigateway.errors import ScanError
from aigateway.scanning.results import Finding

#: In the path of each file that is planted.
CANARY = "aigateway-canary"

_ENTROPY = "CKV_SECRET_6"
_QUOTED = re.compile(r'"([^"]*)"')


def copy_checkout(root: Path, copy: Path) -> tuple[str, ...]:
    """Copy what git has, or would take, to `copy`, and plant there a finding for each framework, which are returned.

    So nothing that git ignores is scanned, and a framework that has nothing to look at is still seen to look.
    Raises ScanError where git has nothing.
    """
    for name in list_files(root):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
    for planted, text in _make_canaries().items():
        (copy / planted).parent.mkdir(parents=True, exist_ok=True)
        (copy / planted).write_text(text, encoding="utf-8")
    return ("secrets", "github_actions", "dockerfile")


def hash_checkout(root: Path) -> str:
    """The digest of what a scan sees of a checkout: what git has, or would take, wherever it lies.

    Raises ScanError where git has nothing.
    """
    return hash_files(root, list_files(root))


def list_files(root: Path) -> list[str]:
    """The files that git has, or would take, by their paths; links are left out.

    Raises ScanError where git has nothing.
    """
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise ScanError("git is not installed, and says what belongs to the checkout; install it") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise ScanError(f"{root}: git cannot list it, and only what git has counts: {said}") from error
    names = sorted({name.decode() for name in done.stdout.split(b"\0") if name})
    if not names:
        raise ScanError(f"{root}: git has no file there")
    # A file that is deleted and not yet committed is still listed.
    return [name for name in names if (root / name).is_file() and not (root / name).is_symlink()]


def drop_secret_names(findings: Iterable[Finding], copy: Path, names: Collection[str]) -> Iterator[Finding]:
    """The findings, but for a name of a Key Vault secret that checkov took for a secret because of its entropy.

    JSON has no comments, in which that could be said where it stands.
    """
    for finding in findings:
        if finding.check == _ENTROPY and finding.verdict == "failed":
            line = (copy / finding.file).read_text(encoding="utf-8").splitlines()[finding.line - 1]
            quoted = _QUOTED.findall(line)
            if quoted and quoted[-1] in names:
                yield finding.model_copy(
                    update={"verdict": "skipped", "reason": "the name of a secret, not its value"}
                )
                continue
        yield finding


def _make_canaries() -> dict[str, str]:
    letters = string.ascii_uppercase + string.digits
    key = "AKIA" + "".join(secrets.choice(letters) for _ in range(16))
    return {
        f"{CANARY}/settings.yaml": f'access_key: "{key}"\n',
        f"{CANARY}/Dockerfile": "FROM scratch:latest\nUSER root\n",
        f".github/workflows/{CANARY}.yaml": (
            "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    env:\n"
            "      ACTIONS_ALLOW_UNSECURE_COMMANDS: 'true'\n    steps:\n      - run: echo\n"
        ),
    }
