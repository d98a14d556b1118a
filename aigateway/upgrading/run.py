"""`aigateway upgrade`: tries another LiteLLM beside the present one, and changes the checkout when it conforms."""

from __future__ import annotations

import datetime
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from aigateway.acceptance.findings import EVIDENCE_FILE
from aigateway.acceptance.profiles import Profile
from aigateway.acceptance.results import RunResult
from aigateway.acceptance.run import Order as AcceptOrder
from aigateway.errors import AigatewayError, LaunchError
from aigateway.files import make_temporary_folder, write_atomically
from aigateway.launching import runtime
from aigateway.launching.app_routes import AppRoute, list_app_routes
from aigateway.launching.parts import ProcessReference
from aigateway.launching.process import ProcessLauncher
from aigateway.launching.runtime import Runtime
from aigateway.promotion.images import PinnedImage, locate_pins
from aigateway.promotion.registry import resolve
from aigateway.proving.results import ProofResult
from aigateway.reporting.job_page import append_to_job_page
from aigateway.settings.loading import list_environments, load_environment
from aigateway.signals import interrupt_on_terminate
from aigateway.upgrading.candidate import Version, VersionLister, ask_registry, find_candidate
from aigateway.upgrading.checkouts import (
    LOCK,
    Change,
    carry_over,
    copy_checkout,
    find_changes,
    read_present,
    set_version,
)
from aigateway.upgrading.differences import (
    compare_packages,
    compare_routes,
    compare_sabotages,
    compare_scenarios,
    find_slowed,
)
from aigateway.upgrading.results import RouteChanges, Side, UpgradeResult
from aigateway.upgrading.signature import Runner, Signature, check_signature, run_cosign
from aigateway.upgrading.summary import render_abort, render_summary
from aigateway.upgrading.trial import Copy

RESULT_FILE = "result.json"
SUMMARY_FILE = "summary.md"

#: What shows enough of a candidate to take it.
_WHOLE: tuple[Profile, ...] = ("core", "full")


@dataclass(frozen=True)
class Order:
    """What to try, and how: `version` as a person writes it, `keyword` as pytest's `-k`."""

    root: Path
    version: str
    environment: str = "dev"
    profile: Profile = "core"
    keyword: str = ""
    prove: bool = False
    require_signature: bool = False
    write: bool = False

    @property
    def selection(self) -> str:
        """What was chosen of the features; empty for all of the profile's."""
        return AcceptOrder(self.root, self.environment, keyword=self.keyword).selection

    def locate(self, candidate: Version) -> Path:
        """Where the comparison with the candidate goes."""
        return self.root / "build" / "upgrade" / str(candidate)


def list_routes(made: Runtime) -> tuple[AppRoute, ...]:
    """Every route of the app of a runtime's LiteLLM, none of which has to run for it."""
    nothing_runs = ProcessReference(port=0, log_path=Path(os.devnull))
    return list_app_routes(ProcessLauncher(made), nothing_runs)


@dataclass(frozen=True)
class Tools:
    """What reaches out of this process."""

    list_versions: VersionLister = ask_registry
    resolve: Callable[[PinnedImage], str] = resolve
    run_cosign: Runner = run_cosign
    open_copy: Callable[[Path, Console], Copy] = Copy
    install: Callable[[Path, Console], Runtime] = lambda lock, console: runtime.ensure(console, lock=lock)
    list_routes: Callable[[Runtime], Sequence[AppRoute]] = list_routes


@dataclass(frozen=True)
class _Tried:
    """What one of the two left."""

    version: Version
    run: RunResult
    proof: ProofResult | None
    packages: dict[str, str]
    runtime: Runtime

    @property
    def side(self) -> Side:
        return Side(
            version=str(self.version),
            conformant=self.run.conformant,
            summary=self.run.summary,
            seconds=self.run.seconds,
            counts=dict(self.run.counts),
            proven=self.proof.proven if self.proof else None,
            proof=self.proof.summary if self.proof else "",
        )


def upgrade(order: Order, console: Console, tools: Tools | None = None) -> UpgradeResult | None:
    """Compare the LiteLLM that `order` names with the present one, and write down what they do otherwise.

    The checkout is changed only when that is asked for and the candidate conforms. None where there is nothing to
    compare, because it is the present one. Raises AigatewayError when one of the two could not be tried.
    """
    return _Comparison(order, console, tools or Tools()).run()


class _Comparison:
    def __init__(self, order: Order, console: Console, tools: Tools) -> None:
        self._order = order
        self._console = console
        self._tools = tools
        self._started = datetime.datetime.now(datetime.UTC)
        self._clock = time.monotonic()

    def run(self) -> UpgradeResult | None:
        order = self._order
        _require_whole(order)
        image = load_environment(order.root, order.environment).images.litellm
        present = read_present(order.root)
        candidate = find_candidate(order.version, present, self._tools.list_versions)
        if candidate == present:
            return None
        folder = order.locate(candidate)
        self._say(f"LiteLLM {present} is compared with {candidate}")
        _clear(folder)
        with _telling_of_failure(folder, present, candidate, order.environment):
            signature = check_signature(
                PinnedImage.of(image.repository, candidate.tag, None),
                self._tools.resolve,
                self._tools.run_cosign,
            )
            self._say(str(signature))
            if order.require_signature and signature.state == "unchecked":
                raise AigatewayError(f"{signature}; --require-signature wants it checked")
            result, changes = self._try_both(present, candidate, signature, folder)
        _save(result, folder)
        try:
            if order.write and result.conformant:
                carry_over(order.root, changes)
                result = result.model_copy(update={"written": True})
                _save(result, folder)
                self._warn_of_pins()
        finally:
            append_to_job_page(render_summary(result))
        return result

    def _try_both(
        self, present: Version, candidate: Version, signature: Signature, folder: Path
    ) -> tuple[UpgradeResult, tuple[Change, ...]]:
        with _temporary_folder() as temporary:
            before, after = (self._tools.open_copy(temporary / name, self._console) for name in ("a", "b"))
            for copy in (before, after):
                copy_checkout(self._order.root, copy.root)
            set_version(after.root, candidate)
            self._say(f"locking LiteLLM {candidate}")
            try:
                after.lock_runtime()
            except AigatewayError as error:
                raise AigatewayError(
                    f"the packages of LiteLLM {candidate} could not be locked: {error}"
                ) from error
            # Both are there before one is tried: what cannot be installed costs nobody's time.
            runtimes = [self._tools.install(copy.root / LOCK, self._console) for copy in (before, after)]
            changes = self._render(before, after, candidate)
            one = self._try(before, present, runtimes[0], folder / "present")
            other = self._try(after, candidate, runtimes[1], folder / "candidate")
        return self._compare(one, other, signature, changes), changes

    def _render(self, before: Copy, after: Copy, candidate: Version) -> tuple[Change, ...]:
        """Make of one copy what the checkout would be with the candidate; gives what differs."""
        self._say(f"rendering with LiteLLM {candidate}")
        after.run_aigateway("render")
        after.run_aigateway("lint")
        after.run_aigateway("docs")
        return find_changes(before.root, after.root)

    def _try(self, copy: Copy, version: Version, made: Runtime, kept: Path) -> _Tried:
        order = self._order
        self._say(f"trying LiteLLM {version}")
        try:
            run = copy.accept(order.environment, order.profile, order.keyword)
            self._say(run.summary)
            proof = copy.prove(order.environment, order.profile) if order.prove else None
        except AigatewayError as error:
            raise AigatewayError(f"LiteLLM {version} could not be tried: {error}") from error
        finally:
            _keep_reports(copy.root / "build", kept)
        return _Tried(version, run, proof, runtime.locked_versions(copy.root / LOCK), made)

    def _compare(
        self, one: _Tried, other: _Tried, signature: Signature, changes: Sequence[Change]
    ) -> UpgradeResult:
        order = self._order
        # First, for it takes its time, and that is told.
        routes = self._compare_routes(one, other)
        return UpgradeResult(
            environment=order.environment,
            profile=order.profile,
            selection=order.selection,
            started_at=self._started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self._clock, 1),
            present=one.side,
            candidate=other.side,
            objections=tuple(_list_objections(other, signature)),
            signature=signature,
            scenarios=tuple(compare_scenarios(one.run, other.run)),
            sabotages=tuple(compare_sabotages(one.proof, other.proof)) if one.proof and other.proof else (),
            slowed=find_slowed(one.run, other.run),
            packages=tuple(compare_packages(one.packages, other.packages)),
            routes=routes,
            files=tuple(change.name for change in changes),
            written=False,
        )

    def _compare_routes(self, one: _Tried, other: _Tried) -> RouteChanges:
        """It is good to know, and no reason to throw away what is known already."""
        try:
            found = [self._tools.list_routes(tried.runtime) for tried in (one, other)]
        except (LaunchError, ValueError) as error:
            return RouteChanges(present=0, candidate=0, problem=str(error))
        return compare_routes(*found)

    def _warn_of_pins(self) -> None:
        root = self._order.root
        for environment in list_environments(root):
            pins = locate_pins(root, load_environment(root, environment))
            if pins.exists():
                self._say(f"{pins}: has the digest of the image before; run: aigateway pin {environment}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False)


def _require_whole(order: Order) -> None:
    if order.write and (order.keyword or order.profile not in _WHOLE):
        raise AigatewayError(
            "--write takes what conforms, and a part of the scenarios does not show that; leave -k out, and have "
            "--profile core or full"
        )


def _list_objections(tried: _Tried, signature: Signature) -> Iterator[str]:
    """Why the candidate cannot take the place of the present one."""
    if not tried.run.conformant:
        yield tried.run.summary
    if tried.proof and not tried.proof.proven:
        yield tried.proof.summary
    if signature.state == "refused":
        yield f"{signature.image}: what it is signed with is not LiteLLM's key"


def _save(result: UpgradeResult, folder: Path) -> None:
    write_atomically(folder / RESULT_FILE, result.model_dump_json(indent=2) + "\n")
    write_atomically(folder / SUMMARY_FILE, render_summary(result))


def _keep_reports(build: Path, kept: Path) -> None:
    """Keep what the commands left in a copy that is going to be removed; a run of a copy is no evidence."""
    for name in ("accept", "prove"):
        if (build / name).is_dir():
            shutil.copytree(build / name, kept / name, ignore=shutil.ignore_patterns(EVIDENCE_FILE))


def _clear(folder: Path) -> None:
    """What an earlier comparison left would pass for this one's."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise AigatewayError(f"{folder}: cannot be written to: {error.strerror}") from error


@contextmanager
def _telling_of_failure(
    folder: Path, present: Version, candidate: Version, environment: str
) -> Iterator[None]:
    """A job's page says too why there is no comparison."""
    try:
        yield
    except AigatewayError as error:
        page = render_abort(present, candidate, environment, str(error))
        write_atomically(folder / SUMMARY_FILE, page)
        append_to_job_page(page)
        raise


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with interrupt_on_terminate(), make_temporary_folder("upgrade") as folder:
        # As it really is: the copies' code compares its own path with others.
        yield folder.resolve()
