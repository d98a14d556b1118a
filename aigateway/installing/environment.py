"""Environments of their own for what cannot share ours, because it needs other versions of the same packages.

Each is made on first use, exactly as its lock says, and kept in the user's cache under a name that stands for the
lock, the Python and the system: what has that name is what the lock describes, and needs no other check.

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
from pathlib import Path

import platformdirs
from rich.console import Console

from aigateway.errors import RuntimeInstallError
from aigateway.installing.bundle import Bundle
from aigateway.installing.installation import describe_full_disk, install, is_disk_full
from aigateway.installing.pins import read_pins
from aigateway.waiting import wait_until

_MARK = "complete"
# Over a slow line the other one may take this long; when it dies, the kernel gives the lock free at once.
_WAIT_SECONDS = 30 * 60
_ASK_SECONDS = 0.2


def ensure_environment(bundle: Bundle, console: Console) -> Path:
    """The environment of `bundle`; made now, with its progress on `console`, if this is its first use.

    Raises RuntimeInstallError when it cannot be made; nothing half-made is left to be found by the next use.
    """
    home = find_home(bundle.lock)
    if _is_complete(home, bundle):
        return home
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with _holding(home.with_name(f"{home.name}.lock"), bundle, console) as descriptor:
            if not _is_complete(home, bundle):
                _make(home, bundle, console, descriptor)
    except OSError as error:
        raise RuntimeInstallError(_describe(error, bundle, home.parent)) from error
    return home


def find_cache() -> Path:
    """The folder for what is worth keeping between runs."""
    override = os.environ.get("AIGATEWAY_CACHE")
    return Path(override).expanduser().absolute() if override else platformdirs.user_cache_path("aigateway")


def find_home(lock: Path) -> Path:
    """Where the environment of `lock` is, for this Python on this machine, or will be."""
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


def _is_complete(home: Path, bundle: Bundle) -> bool:
    return (home / _MARK).is_file() and _is_whole(home, bundle)


def _is_whole(home: Path, bundle: Bundle) -> bool:
    """Whether all of its programs are there; `python` is a link, whose target may have been removed."""
    return all((home / "bin" / program).is_file() for program in ("python", *bundle.programs))


@contextmanager
def _holding(path: Path, bundle: Bundle, console: Console) -> Iterator[int]:
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
            console.print(f"another process is installing {bundle.title}; waiting for it", highlight=False)
            if not wait_until(is_held, seconds=_WAIT_SECONDS, every=_ASK_SECONDS):
                raise RuntimeInstallError(
                    f"{path}: another process has been installing {bundle.title} for "
                    f"{_WAIT_SECONDS // 60} minutes; end it and run again"
                )
        yield descriptor
    finally:
        os.close(descriptor)


def _make(home: Path, bundle: Bundle, console: Console, descriptor: int) -> None:
    """Make the runtime at `home` anew, or leave nothing there."""
    pins = read_pins(bundle.lock)
    shutil.rmtree(home, ignore_errors=True)
    if shutil.disk_usage(home.parent).free < bundle.needed_bytes:
        raise RuntimeInstallError(describe_full_disk(bundle, home.parent))
    try:
        install(bundle, pins, home, console, keep_open=descriptor)
        _mark_complete(home, bundle)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def _mark_complete(home: Path, bundle: Bundle) -> None:
    if not _is_whole(home, bundle):
        programs = " or no ".join(f"`{program}`" for program in bundle.programs)
        wanted = bundle.lock.with_suffix(".in").name
        raise RuntimeInstallError(
            f"{bundle.lock}: what it pins has no {programs} program; correct {wanted} beside it, and make "
            f"the lock again with scripts/lock"
        )
    (home / _MARK).touch()


def _describe(error: OSError, bundle: Bundle, folder: Path) -> str:
    if is_disk_full(error):
        return describe_full_disk(bundle, folder)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
        return (
            f"{folder}: cannot be written to ({error.strerror}); {bundle.title} would be kept there: "
            f"make it writable, or name another folder in AIGATEWAY_CACHE"
        )
    return f"{folder}: {bundle.title} could not be installed there: {error}"
