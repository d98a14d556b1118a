"""One scan: checkov on each environment's root or plan and, at the same time, on what the checkout shares.

checkov passes an empty folder, a file that it cannot read and a policy that it cannot load. So a run counts only if it
parsed everything, tried each policy of ours, and found what was planted for it to find.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from aigateway.digests import hash_file
from aigateway.errors import ScanError
from aigateway.names import Names
from aigateway.scanning.checkout import CANARY, copy_checkout, drop_secret_names, hash_checkout
from aigateway.scanning.checkov import ensure_checkov
from aigateway.scanning.plans import prepare_plan
from aigateway.scanning.results import RESULT_FILE, Finding, ScanResult, Verdict, locate_results
from aigateway.secret_values import list_secret_names
from aigateway.settings.loading import list_environments, load_environment
from aigateway.settings.model import Settings

#: What infra/policies/aigateway_policy.py reads.
_SCANNED = "AIGATEWAY_SCANNED"
_POLICIES = Path("infra/policies")
_POLICY_ID = re.compile(r'^    "(AIGATEWAY_[A-Z_]+)"|\("?\s*"(AIGATEWAY_[A-Z_]+)"', re.MULTILINE)
#: Policies whose answer source does not have.
_PLAN_ONLY = {"AIGATEWAY_IMAGE_DIGEST", "AIGATEWAY_PLAIN_VARIABLES"}
_NAMED = {
    "azurerm_resource_group": "resource_group",
    "azurerm_log_analytics_workspace": "log_analytics_workspace",
    "azurerm_container_app_environment": "container_app_environment",
    "azurerm_container_app": "container_app",
    "azurerm_key_vault": "key_vault",
    "azurerm_application_insights": "application_insights",
    "azurerm_user_assigned_identity": "managed_identity",
    "azurerm_monitor_action_group": "action_group",
    "azurerm_cdn_frontdoor_profile": "front_door_profile",
    "azurerm_cdn_frontdoor_endpoint": "front_door_endpoint",
    "azurerm_cdn_frontdoor_firewall_policy": "waf_policy",
    "azurerm_virtual_network": "virtual_network",
    "azurerm_network_security_group": "network_security_group",
    "azurerm_private_endpoint": "private_endpoint",
}
_SECONDS = 300
_NO_REASON = "No comment provided"
_INDEX = re.compile(r"\[[^\]]*\]")
# In what checkov says on the side: a policy that it could not load, a check that broke, a file that it could not read.
_BROKEN = re.compile(r"\bERROR\b|Traceback|\bCRITICAL\b|Failed to parse", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """What to scan: one environment, and a plan of it where there is one."""

    root: Path
    settings: Settings
    plan: Path | None = None

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.settings.environment

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return locate_results(self.root, self.environment)


@dataclass(frozen=True)
class Report:
    """What one process of checkov said."""

    version: str
    findings: tuple[Finding, ...]


def scan(root: Path, environments: Sequence[str], plan: Path | None, console: Console) -> list[ScanResult]:
    """Scan each environment, and write its results to build/scan/ENV.

    Raises ScanError when something could not be scanned: no result is there then, and nothing has passed.
    """
    started = time.monotonic()
    orders = [Order(root, load_environment(root, name), plan) for name in environments]
    if plan is not None and len(orders) != 1:
        raise ScanError("a plan is of one environment; name it: aigateway scan ENV --plan FILE")
    # Evidence reads the last result: that of an earlier scan must not stand in for one that breaks.
    for order in orders:
        (order.folder / RESULT_FILE).unlink(missing_ok=True)
    program = ensure_checkov(console) / "bin" / "checkov"
    seen = _hash_subject(root, plan)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        shared = pool.submit(_scan_checkout, program, orders)
        roots = [(order, pool.submit(_scan_root, program, order)) for order in orders]
        plans = [(order, pool.submit(_scan_plan, program, order)) for order in orders if order.plan]
        found = {order.environment: [future.result()] for order, future in roots}
        for order, future in plans:
            (source,) = found[order.environment]
            found[order.environment].append(_take_over_skips(future.result(), source))
        for reports in found.values():
            reports.append(shared.result())
    if _hash_subject(root, plan) != seen:
        raise ScanError(
            "files were changed while they were scanned, so nothing says what was seen; scan again"
        )
    checkout, planned = seen
    results = []
    for order in orders:
        reports = found[order.environment]
        result = ScanResult(
            environment=order.environment,
            checkout=checkout,
            plan=planned,
            checkov=reports[0].version,
            seconds=round(time.monotonic() - started, 1),
            findings=tuple(finding for report in reports for finding in report.findings),
        )
        result.write(order.folder)
        results.append(result)
    return results


def _hash_subject(root: Path, plan: Path | None) -> tuple[str, str | None]:
    """What is scanned, by digests: the checkout, and the plan."""
    return hash_checkout(root), hash_file(plan) if plan else None


def _scan_root(program: Path, order: Order) -> Report:
    folder = order.root / "infra" / "env" / order.environment
    if not list(folder.glob("*.tf")):
        raise ScanError(f"{folder}: has no Terraform to scan")
    report = run_checkov(program, order, ("--directory", str(folder), "--framework", "terraform"), order.root)
    return _require_policies(report, order, list_policies(order.root) - _PLAN_ONLY)


def _scan_plan(program: Path, order: Order) -> Report:
    assert order.plan is not None  # noqa: S101 - the caller chose orders that have one
    with TemporaryDirectory(prefix="aigateway-scan-") as temporary:
        file = prepare_plan(order.root, order.environment, order.plan, Path(temporary))
        report = run_checkov(
            program, order, ("--file", str(file), "--framework", "terraform_plan"), file.parent
        )
    shown = str(order.plan)
    findings = tuple(finding.model_copy(update={"file": shown}) for finding in report.findings)
    return _require_policies(Report(report.version, findings), order, list_policies(order.root))


def _scan_checkout(program: Path, orders: Sequence[Order]) -> Report:
    """Secrets, workflows and Dockerfiles: of what is, or would be, committed."""
    root = orders[0].root
    with ExitStack() as stack:
        copy = Path(stack.enter_context(TemporaryDirectory(prefix="aigateway-scan-")))
        frameworks = copy_checkout(root, copy)
        options = ("--directory", str(copy), "--framework", *frameworks)
        report = run_checkov(program, orders[0], options, copy, policies=False)
        planted = {finding.framework for finding in report.findings if CANARY in finding.file}
        if missing := sorted(set(frameworks) - planted):
            raise ScanError(
                f"checkov did not find what was planted for it to find in {', '.join(missing)}, so it cannot be "
                f"trusted with the rest; the version in aigateway/scanning/checkov.in may have changed its checks"
            )
        real = [finding for finding in report.findings if CANARY not in finding.file]
        # Of every environment: the files of all are in the checkout.
        every = [load_environment(root, name) for name in list_environments(root)]
        names = {name for settings in every for name in list_secret_names(settings)}
        return Report(report.version, tuple(drop_secret_names(real, copy, names)))


def list_policies(root: Path) -> set[str]:
    """The ids of our own policies.

    Raises ScanError when there is none.
    """
    found = {
        identifier
        for file in (root / _POLICIES).glob("*.py")
        for pair in _POLICY_ID.findall(file.read_text(encoding="utf-8"))
        for identifier in pair
        if identifier
    }
    if not found:
        raise ScanError(f"{root / _POLICIES}: has no policy")
    return found


def _require_policies(report: Report, order: Order, wanted: set[str]) -> Report:
    """The report, if each policy found something to judge."""
    tried = {finding.check for finding in report.findings}
    if missing := sorted(wanted - tried):
        raise ScanError(
            f"{order.environment}: nothing was found that {', '.join(missing)} could judge; the resource is gone, or "
            f"is written in a way that the policy in {_POLICIES} cannot read"
        )
    return report


def _take_over_skips(report: Report, source: Report) -> Report:
    """A plan has no comments: what is skipped in the source, with its reason, is skipped of the same resource."""
    reasons = {
        (one.check, _strip_index(one.resource)): one.reason
        for one in source.findings
        if one.verdict == "skipped"
    }
    return Report(report.version, tuple(_take_over(finding, reasons) for finding in report.findings))


def _take_over(finding: Finding, reasons: Mapping[tuple[str, str], str]) -> Finding:
    reason = reasons.get((finding.check, _strip_index(finding.resource)))
    if finding.verdict != "failed" or reason is None:
        return finding
    return finding.model_copy(update={"verdict": "skipped", "reason": reason})


def _strip_index(address: str) -> str:
    return _INDEX.sub("", address)


def run_checkov(
    program: Path, order: Order, options: Sequence[str], base: Path, *, policies: bool = True
) -> Report:
    """Run checkov once, off the network; `base` is what files are named from.

    Raises ScanError when it did not scan everything that it was given.
    """
    own = ("--external-checks-dir", str(order.root / _POLICIES)) if policies else ()
    command = [str(program), *options, "--skip-download", "--compact", "--output", "json", *own]
    names = Names(order.settings)
    scanned = {
        "environment": order.environment,
        "names": {type_: getattr(names, name) for type_, name in _NAMED.items()},
    }
    # Whatever a person's checkov is told (a platform's key, a config file, a log level) is not for this one.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CKV_", "BC_", "CHECKOV_", "PYTHON", "PRISMA_")) and name != "LOG_LEVEL"
    }
    environment = {
        **kept,
        "LOG_LEVEL": "ERROR",
        _SCANNED: json.dumps(scanned),
    }
    try:
        done = subprocess.run(
            command,
            cwd=base,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ScanError(f"{order.environment}: checkov did not end within {_SECONDS} s") from error
    if done.returncode not in {0, 1} or _BROKEN.search(done.stderr):
        raise ScanError(f"{order.environment}: checkov broke:\n{_quote(done.stderr)}")
    return read_report(done.stdout, order.environment, base)


def read_report(text: str, what: str, base: Path) -> Report:
    """What checkov printed as JSON.

    Raises ScanError when that is nothing, or says that something could not be read.
    """
    try:
        said = json.loads(text)
    except ValueError as error:
        raise ScanError(f"{what}: checkov said nothing that can be read:\n{_quote(text)}") from error
    parts: list[dict[str, Any]] = said if isinstance(said, list) else [said]
    # Of what it found nothing to scan in, checkov prints other JSON.
    if not parts or not all("results" in part for part in parts):
        raise ScanError(f"{what}: checkov found nothing to scan")
    for part in parts:
        if part["summary"]["parsing_errors"] or part["results"]["parsing_errors"]:
            files = ", ".join(part["results"]["parsing_errors"])
            raise ScanError(f"{what}: checkov cannot read {files}; run: terraform validate")
    findings = tuple(finding for part in parts for finding in _read_part(part, base))
    if not findings:
        raise ScanError(f"{what}: checkov found nothing to scan")
    return Report(parts[0]["summary"]["checkov_version"], findings)


def _read_part(part: Mapping[str, Any], base: Path) -> Iterator[Finding]:
    verdicts: dict[str, Verdict] = {
        "passed_checks": "passed",
        "failed_checks": "failed",
        "skipped_checks": "skipped",
    }
    for key, verdict in verdicts.items():
        for record in part["results"].get(key, ()):
            yield _read_record(record, verdict, part["check_type"], base)


def _read_record(record: Mapping[str, Any], verdict: Verdict, framework: str, base: Path) -> Finding:
    path = Path(record["file_abs_path"]).resolve()
    reason = "; ".join(record.get("details") or ())
    if verdict == "skipped":
        reason = (record["check_result"].get("suppress_comment") or "").strip()
        if not reason or reason == _NO_REASON:
            verdict, reason = "failed", "is skipped without a reason; write checkov:skip=ID:why"
    return Finding(
        check=record["check_id"],
        title=record["check_name"],
        verdict=verdict,
        framework=framework,
        file=os.path.relpath(path, base.resolve()),
        line=max(1, record["file_line_range"][0]),
        # A secret's resource is its hash, which is nobody's business.
        resource="" if framework == "secrets" else record["resource"],
        reason=reason,
    )


def _quote(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-12:]) or "  (nothing)"
