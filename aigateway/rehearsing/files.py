"""The files of a folder that Roo's indexing reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aigateway.errors import AigatewayError
from aigateway.rehearsing.grammars import HINT

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

#: Roo reads no larger file; bytes.
MOST_BYTES = 1024 * 1024

#: Roo looks at no more files, of whatever kind.
MOST_FILES = 50_000

#: The endings that Roo's scanner knows (src/services/tree-sitter/index.ts).
# fmt: off
EXTENSIONS = frozenset([
    ".tla", ".js", ".jsx", ".ts", ".vue", ".tsx", ".py", ".rs", ".go", ".c", ".h", ".cpp", ".hpp",
    ".cs", ".rb", ".java", ".php", ".swift", ".sol", ".kt", ".kts", ".ex", ".exs", ".el", ".html",
    ".htm", ".md", ".markdown", ".json", ".css", ".rdl", ".ml", ".mli", ".lua", ".scala", ".toml",
    ".zig", ".elm", ".ejs", ".erb", ".vb", ".p", ".i", ".w", ".cls", ".df",
])
# fmt: on

# src/services/glob/constants.ts; of any name that begins with a dot, nothing is read either.
# fmt: off
_IGNORED_NAMES = frozenset([
    "node_modules", "__pycache__", "env", "venv", "dist", "out", "bundle", "vendor", "tmp", "temp", "deps", "pkg",
    "Pods",
])
# fmt: on
_IGNORED_PAIRS = frozenset([("target", "dependency"), ("build", "dependencies")])


@dataclass(frozen=True)
class Listing:
    """What is read, in order of their paths, and how many files are not: of another kind, or too large."""

    root: Path
    files: tuple[Path, ...]
    unsupported: int = 0
    too_large: int = 0
    unreadable: int = 0
    #: Whether there are more files than Roo looks at.
    cut_off: bool = False


@dataclass(frozen=True)
class _Rules:
    """A .gitignore or .rooignore, and the folder that its patterns count from."""

    folder: Path
    spec: GitIgnoreSpec

    def decide(self, path: Path, *, is_folder: bool) -> bool | None:
        """Whether `path` is ignored; None where no pattern says."""
        name = path.relative_to(self.folder).as_posix() + ("/" if is_folder else "")
        return self.spec.check_file(name).include


def list_files(root: Path, *, most: int = MOST_FILES) -> Listing:
    """The files below `root` that Roo would index.

    As ripgrep does for Roo, it follows links to folders, but not round in circles, and reads each .gitignore up to the
    repository's root; outside a repository, that of `root` alone. Raises AigatewayError when `root` is no folder.
    """
    root = _require_folder(root)
    found: list[Path] = []
    unsupported = too_large = unreadable = seen = 0
    cut_off = False
    rooignore = _read_rules(root / ".rooignore")
    for path in _walk(root, _read_outer_rules(root), set(), inside=_find_repository(root) is not None):
        seen += 1
        if seen > most:
            cut_off = True
            break
        if rooignore and _is_ignored(path.resolve(), (rooignore,), is_folder=False):
            continue
        if path.suffix.lower() not in EXTENSIONS:
            unsupported += 1
            continue
        try:
            size = path.stat().st_size
        except OSError:
            unreadable += 1
            continue
        if size > MOST_BYTES:
            too_large += 1
        else:
            found.append(path)
    return Listing(root, tuple(found), unsupported, too_large, unreadable, cut_off)


def _require_folder(root: Path) -> Path:
    try:
        resolved = root.expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "it links to itself"
        raise AigatewayError(f"{root}: cannot be indexed: {reason}; name the folder to rehearse") from error
    if not resolved.is_dir():
        raise AigatewayError(f"{root}: is no folder; Roo indexes the folder that is open, so name that")
    if resolved in (Path("/"), Path.home().resolve()):
        raise AigatewayError(
            f"{root}: Roo lists no files of the root or of a home folder; name a project's folder"
        )
    if not os.access(resolved, os.R_OK | os.X_OK):
        raise AigatewayError(f"{root}: cannot be read; check its permissions")
    return resolved


def _walk(
    folder: Path, rules: tuple[_Rules, ...], above: set[tuple[int, int]], *, inside: bool
) -> Iterator[Path]:
    """The files that are not ignored; `above` are the folders that this one is in, to know a circle by."""
    try:
        identity = (folder.stat().st_dev, folder.stat().st_ino)
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # gone, or not ours to read: ripgrep goes on as well
        return
    if identity in above:
        return
    own = _read_rules(folder / ".gitignore") if inside or not above else None
    rules = (*rules, own) if own else rules
    for entry in entries:
        path = folder / entry.name
        if _is_never_read(path):
            continue
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:
            continue
        if _is_ignored(path, rules, is_folder=is_folder):
            continue
        if is_folder:
            yield from _walk(path, rules, above | {identity}, inside=inside)
        elif is_file:
            yield path


def _is_never_read(path: Path) -> bool:
    name = path.name
    return name.startswith(".") or name in _IGNORED_NAMES or (path.parent.name, name) in _IGNORED_PAIRS


def _is_ignored(path: Path, rules: Sequence[_Rules], *, is_folder: bool) -> bool:
    """The nearest file with a pattern for it decides."""
    for one in reversed(rules):
        if path.is_relative_to(one.folder):
            decision = one.decide(path, is_folder=is_folder)
            if decision is not None:
                return decision
    return False


def _read_outer_rules(root: Path) -> tuple[_Rules, ...]:
    """The rules that the folders above `root` have, as far up as the repository goes."""
    repository = _find_repository(root)
    if repository is None or repository == root:
        return ()
    outer = [folder for folder in reversed(root.parents) if folder.is_relative_to(repository)]
    return tuple(rules for folder in outer if (rules := _read_rules(folder / ".gitignore")))


def _find_repository(folder: Path) -> Path | None:
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)


def _read_rules(path: Path) -> _Rules | None:
    try:
        from pathspec import GitIgnoreSpec
    except ImportError as error:
        raise AigatewayError(HINT) from error
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    try:
        return _Rules(path.parent, GitIgnoreSpec.from_lines(lines))
    except ValueError as error:
        raise AigatewayError(f"{path}: has a pattern that cannot be read: {error}") from error
