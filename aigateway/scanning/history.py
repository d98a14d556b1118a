"""Keys in the repository's whole history: what a later commit removed can still be read by whoever has the repository.

Each version of each file that any branch, tag or stash ever had is read once, and so is each commit's message. What
a test says in a key's place is told apart by its form, for a history takes no comments: it is of words, or counts up.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aigateway.errors import ScanError

_SECONDS = 300

#: What has the form of a key; the group is the random part.
_KINDS = (
    # LiteLLM's and OpenAI's; those of `aigateway secrets` have 43 characters behind the hyphen.
    ("an API key, sk-…", r"(?<![A-Za-z0-9_-])sk-(?:[a-z]+-(?:v\d-)?)?([A-Za-z0-9_-]{20,})"),
    ("an Azure OpenAI key", r"(?<![A-Za-z0-9])([A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26})(?![A-Za-z0-9])"),
    (
        "an Azure OpenAI key",
        r"""(?i)(?:api|openai|azure)[_-]?key["']?\s*[:=]\s*["']?([0-9a-f]{32})(?![0-9a-f])""",
    ),
    ("a key of an Azure account", r"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,}={0,2})"),
    (
        "a secret of an Entra application",
        r"(?<![A-Za-z0-9_~.-])([A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})",
    ),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+([A-Za-z0-9+/=]{40,})"),
    ("a token of GitHub", r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_)([A-Za-z0-9_]{36,})"),
)
_PATTERNS = tuple((kind, re.compile(pattern.encode())) for kind, pattern in _KINDS)

_MIXED = (re.compile(rb"[a-z]"), re.compile(rb"[A-Z]"))
_HEXADECIMAL = re.compile(rb"[0-9a-f]{32,}")
_COUNTING = re.compile(rb"0123456789|1234567890|abcdefghij", re.IGNORECASE)


@dataclass(frozen=True)
class Leak:
    """One key; never its value."""

    kind: str
    path: str
    line: int
    commit: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.path else "the commit's message"
        return f"{self.commit} {where}: {self.kind}"


def find_leaks(root: Path) -> list[Leak]:
    """Every key in the history, in the order of git's objects.

    Raises ScanError when the history cannot be read, or is not whole.
    """
    if _git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise ScanError(f"{root}: git has only the last commits of it; run: git fetch --unshallow")
    listed = _git(root, "rev-list", "--objects", "--all", "HEAD").splitlines()
    paths = {line[:40].decode(): line[41:].decode(errors="replace") for line in listed}
    if not paths:
        raise ScanError(f"{root}: has no commit to read")
    return list(_read_objects(root, paths))


def _read_objects(root: Path, paths: dict[str, str]) -> Iterator[Leak]:
    content = _git(root, "cat-file", "--batch", given="\n".join(paths).encode() + b"\n")
    place = 0
    while place < len(content):
        end = content.index(b"\n", place)
        identifier, kind, size = content[place:end].split()
        body = content[end + 1 : end + 1 + int(size)]
        place = end + 2 + int(size)
        if kind in {b"blob", b"commit", b"tag"}:
            name = identifier.decode()
            for found, line in _find_keys(body):
                commit = _find_commit(root, name) if kind == b"blob" else name[:12]
                yield Leak(found, paths[name] if kind == b"blob" else "", line, commit)


def _find_keys(text: bytes) -> Iterator[tuple[str, int]]:
    """The kind and the line of each key in a text."""
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if _is_random(match.group(1)):
                yield kind, text.count(b"\n", 0, match.start()) + 1


def _is_random(part: bytes) -> bool:
    """Whether a machine made it: words have no capitals in their middle, and what is typed in a hurry counts up."""
    if _COUNTING.search(part):
        return False
    return _HEXADECIMAL.search(part) is not None or all(letters.search(part) for letters in _MIXED)


def _find_commit(root: Path, blob: str) -> str:
    """The commit that brought it in: the oldest that has to do with it."""
    commits = _git(root, "log", "--all", "--format=%h", "--abbrev=12", f"--find-object={blob}").split()
    return commits[-1].decode() if commits else "(a merge)"


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, input=given, capture_output=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise ScanError("git is not installed, and has the history; install it") from error
    except subprocess.TimeoutExpired as error:
        raise ScanError(f"{root}: git {arguments[0]} did not end within {_SECONDS} s") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise ScanError(f"{root}: git cannot read its history: {said}")
    return done.stdout
