"""A small checkout, in Git, and copies of it whose commands say what a test wants."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from aigateway.acceptance.profiles import Profile
from aigateway.acceptance.results import RunResult, ScenarioResult, Verdict
from aigateway.errors import AigatewayError
from aigateway.launching.app_routes import AppRoute
from aigateway.launching.runtime import Runtime
from aigateway.proving.results import ProofResult, SabotageResult
from aigateway.settings.loading import find_root
from aigateway.upgrading.checkouts import LOCK, MODEL, WANTED, read_present
from aigateway.upgrading.run import Order, Tools
from aigateway.upgrading.trial import Copy

Answer = TypeVar("Answer")

ROOT = find_root(Path(__file__))
PRESENT = str(read_present(ROOT))
OTHER = "1.999.7"
GATEWAY = Path("infra/env/dev/gateway.yaml")
TFVARS = Path("infra/env/dev/terraform.tfvars.json")


def make_checkout(folder: Path) -> Path:
    """What of the checkout names LiteLLM's version, in a repository of its own."""
    root = folder / "checkout"
    for name in (WANTED, MODEL, GATEWAY, TFVARS):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / LOCK).write_text(f"litellm=={PRESENT} \\\n    --hash=sha256:00\nopenai==2.0.0\n")
    (root / "templates").mkdir()
    (root / ".gitignore").write_text("build/\n")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


def read_all(root: Path) -> dict[str, bytes]:
    """Everything in a checkout but what Git has and what is built."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] not in {".git", "build"}
    }


def make_scenario(name: str, verdict: Verdict = "passed", **others: object) -> ScenarioResult:
    values = {"id": name, "feature": "Streams", "name": name, "scenario": name, "requirements": ("FR1",)}
    return ScenarioResult.model_validate(
        {**values, "core": True, "verdict": verdict, "seconds": 1.0, **others}
    )


def make_run(*scenarios: ScenarioResult, conformant: bool | None = None) -> RunResult:
    good = all(one.verdict == "passed" for one in scenarios)
    return RunResult(
        environment="dev",
        target="local",
        launcher="process",
        started_at="2026-11-23T09:00:00+00:00",
        seconds=10,
        conformant=good if conformant is None else conformant,
        scenarios=scenarios,
    )


def make_proof(**noticed: bool) -> ProofResult:
    return ProofResult(
        environment="dev",
        launcher="process",
        profile="core",
        started_at="2026-11-23T09:00:00+00:00",
        seconds=5,
        sabotages=tuple(
            SabotageResult(
                sabotage=name,
                how="somehow",
                noticed_by=("a scenario",) if good else (),
                unnoticed_by=() if good else ("a scenario: passed",),
                seconds=1,
            )
            for name, good in noticed.items()
        ),
        unproven=(),
    )


@dataclass(frozen=True)
class FakeCopy(Copy):
    """A copy whose LiteLLM is told by its lock, as a real one's is."""

    machine: FakeMachine

    @property
    def _version(self) -> str:
        return str(read_present(self.root))

    def run_aigateway(self, *arguments: str, judges: bool = False) -> None:
        assert not judges
        self.machine.calls.append((self._version, *arguments))
        if arguments == ("render",):
            path = self.root / TFVARS
            path.write_text(path.read_text().replace(f":v{PRESENT}", f":v{self._version}"))

    def lock_runtime(self) -> None:
        if self.machine.lock_error:
            raise AigatewayError(self.machine.lock_error)
        path = self.root / LOCK
        text = path.read_text().replace(f"litellm=={PRESENT}", f"litellm=={self._version}")
        path.write_text(text.replace("openai==2.0.0", "openai==2.1.0"))

    def accept(self, environment: str, profile: Profile, keyword: str) -> RunResult:
        self.machine.calls.append((self._version, "accept", environment, profile, keyword))
        report = self.root / "build" / "accept" / environment / "report.html"
        report.parent.mkdir(parents=True)
        report.write_text(self._version)
        report.with_name("evidence.json").write_text("{}")
        return self.machine.give(self.machine.runs, self._version)

    def prove(self, environment: str, profile: Profile) -> ProofResult:
        self.machine.calls.append((self._version, "prove", environment, profile))
        return self.machine.give(self.machine.proofs, self._version)


@dataclass
class FakeMachine:
    """Whatever an upgrade reaches outside of itself, as a test wants it."""

    root: Path
    runs: dict[str, RunResult | BaseException] = field(
        default_factory=lambda: dict.fromkeys((PRESENT, OTHER), make_run(make_scenario("a")))
    )
    proofs: dict[str, ProofResult | BaseException] = field(default_factory=dict)
    routes: dict[str, Sequence[AppRoute] | Exception] = field(default_factory=dict)
    lock_error: str = ""
    calls: list[tuple[str, ...]] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)
    while_trying: Callable[[], None] = lambda: None

    def give(self, answers: Mapping[str, Answer | BaseException], version: str) -> Answer:
        self.while_trying()
        answer = answers[version]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def order(self, **others: object) -> Order:
        return Order(self.root, **{"version": OTHER, **others})  # type: ignore[arg-type]

    @property
    def tools(self) -> Tools:
        def open_copy(root: Path, console: Console) -> Copy:
            self.copies.append(root)
            return FakeCopy(root, console, self)

        def install(lock: Path, _console: Console) -> Runtime:
            return Runtime.at(Path(f"/runtimes/{read_present(lock.parents[2])}"))

        def list_routes(made: Runtime) -> Sequence[AppRoute]:
            found = self.routes.get(made.python.parents[1].name, ())
            if isinstance(found, Exception):
                raise found
            return found

        return Tools(
            list_versions=lambda: (OTHER, PRESENT),
            open_copy=open_copy,
            install=install,
            list_routes=list_routes,
        )
