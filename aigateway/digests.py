"""Digests of files and of data: SHA-256, as `sha256:` and 64 hexadecimal digits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aigateway.errors import AigatewayError

# What tools leave beside the files that people write.
_LEFT_BY_TOOLS = ("__pycache__", ".terraform")


def hash_bytes(content: bytes) -> str:
    """The digest of `content`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def hash_file(path: Path) -> str:
    """The digest of what is in a file. Raises AigatewayError when it cannot be read."""
    try:
        return hash_bytes(path.read_bytes())
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}") from error


def hash_folders(root: Path, *names: str) -> str:
    """The digest of the files below the folders `names` of `root`, as `hash_files` makes it."""
    return hash_files(
        root, (path.relative_to(root).as_posix() for name in names for path in _list_files(root / name))
    )


def hash_files(root: Path, paths: Iterable[str]) -> str:
    """The digest of a list with a line for each file: its digest and its path from `root`.

    It changes with the content and the path of any file, and with the place of none. Raises AigatewayError when one
    cannot be read.
    """
    return hash_bytes("".join(f"{hash_file(root / path)} {path}\n" for path in sorted(paths)).encode())


def hash_data(data: Any) -> str:
    """The digest of JSON data in canonical form: keys sorted, no space, all but ASCII escaped."""
    return hash_bytes(json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def _list_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        left = any(part.startswith(_LEFT_BY_TOOLS) for part in path.relative_to(folder).parts)
        if path.is_file() and not left:
            yield path
