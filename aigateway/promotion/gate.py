"""The gate before an environment: what has to be proven in the environment before, as rules.

`judge` is a pure function: files, clock, Git and GitHub were asked by whoever puts the question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError

from aigateway.acceptance.features import WrittenScenario
from aigateway.acceptance.results import is_conformant
from aigateway.promotion.attestation import Attestation
from aigateway.promotion.differences import Difference, compare_settings
from aigateway.promotion.evidence import Evidence, ProvenScenario, count_requirements
from aigateway.promotion.images import PARTS
from aigateway.promotion.release import Release
from aigateway.settings.model import Settings
from aigateway.settings.values import ENVIRONMENTS, EnvironmentName

#: How far the clocks of two machines may be apart.
_CLOCKS = timedelta(minutes=5)

#: `waived`: not held, and let through on purpose. `untried`: there was no evidence that could be read.
Outcome = Literal["held", "refused", "waived", "untried"]


@dataclass(frozen=True)
class Submission:
    """An evidence file as it was handed in; without an attestation, GitHub was not asked."""

    name: str
    content: bytes
    attestation: Attestation | None

    def read(self) -> Evidence | None:
        """The evidence in it, if it is some."""
        try:
            return Evidence.model_validate_json(self.content)
        except ValidationError:
            return None


@dataclass(frozen=True)
class Question:
    """May what this checkout has be deployed to `environment`?

    `settings` and `releases` are the checkout's, of this environment and of those that there is evidence of;
    `rendered` are the digests of what the settings of this one render, by name of the file; `scenarios` are the
    features as they are written; `repository` is OWNER/NAME, empty where nobody asks GitHub.
    """

    environment: EnvironmentName
    submissions: tuple[Submission, ...]
    settings: Mapping[EnvironmentName, Settings]
    releases: Mapping[EnvironmentName, Release]
    rendered: Mapping[str, str]
    scenarios: tuple[WrittenScenario, ...]
    repository: str
    now: datetime

    @property
    def before(self) -> tuple[EnvironmentName, ...]:
        """The environments that come before this one, in their order."""
        return ENVIRONMENTS[: ENVIRONMENTS.index(self.environment)]

    @property
    def release(self) -> Release:
        """What is going to be deployed."""
        return self.releases[self.environment]


@dataclass(frozen=True)
class _Case:
    """One file of evidence, before the question."""

    question: Question
    submission: Submission
    evidence: Evidence


@dataclass(frozen=True)
class Rule:
    """What has to hold; `advice` says what to do where it does not."""

    name: str
    statement: str
    advice: str


#: Finds what is against a rule in one file.
_Check = Callable[[_Case], Iterator[str]]


@dataclass(frozen=True)
class Finding:
    """What came of one rule; `complaints` begin with the name of their file, where they are about one."""

    rule: Rule
    outcome: Outcome
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What came of all; `differences` are of the settings of the environment before and of this one."""

    environment: EnvironmentName
    findings: tuple[Finding, ...]
    differences: tuple[Difference, ...]

    @property
    def is_open(self) -> bool:
        """Whether the release may pass."""
        return all(finding.outcome in {"held", "waived"} for finding in self.findings)

    @property
    def is_attested(self) -> bool:
        """Whether no rule was waived."""
        return not any(finding.outcome == "waived" for finding in self.findings)


def judge(question: Question) -> Judgement:
    """Try every rule on every file that was handed in; one file that fails one rule closes the gate."""
    read = [(one, one.read()) for one in question.submissions]
    cases = [_Case(question, submission, evidence) for submission, evidence in read if evidence]
    unreadable = len(cases) < len(read)
    findings = [
        _conclude(GIVEN, list(_find_missing(question, cases))),
        _conclude(WHOLE, [*_find_unreadable(read), *_ask(_find_tampering, cases)]),
        *(_try(rule, check, cases, unreadable=unreadable) for rule, check in _CHECKS),
    ]
    before = question.settings[question.before[-1]]
    here = question.settings[question.environment]
    return Judgement(question.environment, tuple(findings), compare_settings(before, here))


def _try(rule: Rule, check: _Check, cases: list[_Case], *, unreadable: bool) -> Finding:
    complaints = _ask(check, cases)
    if not complaints and (unreadable or not cases):
        return Finding(rule, "untried")
    if rule is ATTESTED and not complaints and any(case.submission.attestation is None for case in cases):
        return Finding(rule, "waived")
    return _conclude(rule, complaints)


def _conclude(rule: Rule, complaints: list[str]) -> Finding:
    return Finding(rule, "refused" if complaints else "held", tuple(complaints))


def _ask(check: _Check, cases: list[_Case]) -> list[str]:
    return [f"{case.submission.name}: {complaint}" for case in cases for complaint in check(case)]


# --- what is there


def _find_missing(question: Question, cases: list[_Case]) -> Iterator[str]:
    """The environment before has to be among them, and none that does not come before, and none twice."""
    given = Counter(case.evidence.environment for case in cases)
    needed = question.before[-1]
    if needed not in given:
        yield f"there is no evidence of {needed}" + (f", only of {', '.join(given)}" if given else "")
    for name, times in given.items():
        if name not in question.before:
            yield f"evidence of {name} says nothing of what may get into {question.environment}"
        if times > 1:
            yield f"there are {times} files of {name}, and nothing says which one counts"


def _find_unreadable(read: list[tuple[Submission, Evidence | None]]) -> Iterator[str]:
    for submission, evidence in read:
        if evidence is None:
            yield f"{submission.name}: is no evidence that this version's `aigateway accept` has written"


# --- rules on one file of evidence


def _find_tampering(case: _Case) -> Iterator[str]:
    evidence = case.evidence
    if evidence.digest != evidence.compute_digest():
        yield "its digest is not that of what it says: something was changed"
    elif evidence.write_text().encode() != case.submission.content:
        yield "says the right things, but is not as `aigateway accept` writes it: something was changed"


def _find_unattested(case: _Case) -> Iterator[str]:
    attestation, origin = case.submission.attestation, case.evidence.origin
    if attestation is None:
        return
    if not attestation.verified:
        yield attestation.said
    if origin.repository != case.question.repository:
        made = f"a job of {origin.repository}" if origin.repository else "no job of GitHub Actions"
        yield f"was made by {made}; must be by one of {case.question.repository}"


def _find_undeployed(case: _Case) -> Iterator[str]:
    evidence = case.evidence
    if evidence.target != "deployed":
        yield f"is of a {evidence.target} gateway, not of the deployed one"
    elif not evidence.base_url or not evidence.revision:
        yield f"does not say which {'revision' if evidence.base_url else 'address'} was tried"


def _find_nonconformance(case: _Case) -> Iterator[str]:
    evidence = case.evidence
    counts = Counter(one.verdict for one in evidence.scenarios if one.verdict in {"failed", "error"})
    if counts:
        yield " and ".join(f"{number} scenarios: {verdict}" for verdict, number in counts.items())
    if evidence.selection:
        yield f"is of some scenarios only: {evidence.selection}"
    if evidence.profile not in {"core", "full"}:
        yield f"is of the profile {evidence.profile}, which leaves most of the core out"
    if not evidence.conformant:
        yield "says itself that the gateway does not conform"
    elif not counts and not is_conformant(evidence.scenarios, evidence.selection):
        yield "says that the gateway conforms, which its scenarios do not"
    if dict(evidence.requirements) != count_requirements(evidence.scenarios):
        yield "counts other scenarios for the requirements than it has"


def _find_gaps(case: _Case) -> Iterator[str]:
    """Every core scenario of this checkout's features that can run there has to have passed, just once in the file."""
    evidence = case.evidence
    ended = Counter((one.feature, one.scenario, *one.example) for one in evidence.scenarios)
    passed = {_key(one): one for one in evidence.scenarios if one.verdict == "passed"}
    for written in case.question.scenarios:
        if written.slow or evidence.target not in written.tags:
            continue
        found = passed.get((written.feature, written.key.scenario, *written.key.example))
        if found is None:
            yield f"{written.feature}: {written.key} did not pass there"
        elif not found.core or found.requirements != written.requirements:
            yield f"{found} is said to prove something else than it does"
    for key, times in ended.items():
        if times > 1:
            yield f"{': '.join(key[:2])} stands there {times} times"


def _key(scenario: ProvenScenario) -> tuple[str, ...]:
    return (scenario.feature, scenario.scenario, *scenario.example)


def _find_age(case: _Case) -> Iterator[str]:
    question = case.question
    most = question.settings[question.environment].promotion.evidence_max_age_hours
    age = question.now - case.evidence.started_at
    if age > timedelta(hours=most):
        hours = age.total_seconds() / 3600
        yield f"is {hours:.0f} h old; must be at most {most} h (promotion.evidence_max_age_hours)"
    elif age + _CLOCKS < timedelta():
        yield f"is of {case.evidence.started_at:%Y-%m-%d %H:%M} UTC, which is yet to come"


def _find_other_source(case: _Case) -> Iterator[str]:
    theirs, ours = case.evidence.release, case.question.release
    if theirs.dirty:
        yield "was made with files that are in no commit"
    if ours.dirty:
        yield "this checkout has files that are in no commit, so it is not what was proven"
    if theirs.commit != ours.commit or not ours.commit:
        yield f"is of commit {theirs.commit[:12] or 'none'}; this checkout is at {ours.commit[:12] or 'none'}"
    for name, what in (
        ("features", "features and steps"),
        ("templates", "templates"),
        ("infrastructure", "Terraform module"),
    ):
        if getattr(theirs, name) != getattr(ours, name):
            yield f"is of other {what} than this checkout's"


def _find_other_configs(case: _Case) -> Iterator[str]:
    environment = case.evidence.environment
    # Evidence of a foreign environment is refused already; there is nothing to compare it with.
    ours = case.question.releases.get(environment)
    theirs = case.evidence.release.configs
    if ours is None:
        yield f"is of {environment}, which does not come before {case.question.environment}"
        return
    for name in sorted({*ours.configs, *theirs}):
        if ours.configs.get(name) != theirs.get(name):
            yield f"{environment} ran another {name} than this checkout's"
    # Of this environment's files nothing was tried: that they are like the others' is only true of what is rendered.
    for name, digest in case.question.rendered.items():
        if case.question.release.configs.get(name) != digest:
            yield f"{case.question.environment}'s {name} is not what its settings render"


def _find_other_images(case: _Case) -> Iterator[str]:
    environment = case.question.environment
    for part in PARTS:
        theirs, ours = case.evidence.release.images.of(part), case.question.release.images.of(part)
        if theirs.digest is None:
            yield f"does not say which {part} ran: {theirs} has no digest"
        if ours.digest is None:
            yield f"{environment} has no digest of {part}"
        if theirs != ours and theirs.digest and ours.digest:
            yield f"ran {theirs}; {environment} would run {ours}"


def _find_forbidden_differences(case: _Case) -> Iterator[str]:
    question = case.question
    before = question.settings.get(case.evidence.environment)
    if before is None:
        yield f"is of {case.evidence.environment}, which does not come before {question.environment}"
        return
    for one in compare_settings(before, question.settings[question.environment]):
        if not one.allowed:
            here = question.environment
            yield f"{one.key} is {one.before} in {before.environment} and {one.here} in {here}"


def _find_unscanned(case: _Case) -> Iterator[str]:
    scan, plan = case.evidence.scan, case.evidence.plan
    if plan is None:
        yield "does not say which plan was applied"
    if scan is None:
        yield "holds no result of a scan of what was tried"
        return
    if not scan.passed:
        yield "the scan did not pass"
    if plan and scan.plan != plan:
        yield f"the scan was of {'another plan than' if scan.plan else 'no plan, and not of'} the one that was applied"


GIVEN = Rule(
    "given",
    "the environment before was tried, and nothing else is handed in",
    "hand in evidence.json of the environment before, one file for each: --evidence FILE",
)
WHOLE = Rule(
    "whole",
    "the evidence is as it was written",
    "fetch the artifact of the run again, and change nothing in it; or try the environment anew",
)
ATTESTED = Rule(
    "attested",
    "GitHub vouches that this repository's deployment made it, at this commit",
    "use the artifact that the deployment's run has attested, with gh logged in; a laptop's own run is never attested",
)
_CHECKS: tuple[tuple[Rule, _Check], ...] = (
    (ATTESTED, _find_unattested),
    (
        Rule(
            "deployed",
            "it is of a gateway that is deployed",
            "run: aigateway accept ENV --target deployed --revision NAME",
        ),
        _find_undeployed,
    ),
    (
        Rule(
            "conformant",
            "the gateway conformed",
            "see in report.html what failed, mend it, deploy it, and try the whole core: no -k, no -m, no --profile",
        ),
        _find_nonconformance,
    ),
    (
        Rule(
            "complete",
            "every scenario of the core passed, none was skipped",
            "try the environment with this checkout's features, and see in report.html why a scenario was skipped",
        ),
        _find_gaps,
    ),
    (
        Rule(
            "fresh",
            "it is not too old",
            "try the environment again, or raise promotion.evidence_max_age_hours; if it is yet to come, set the clock",
        ),
        _find_age,
    ),
    (
        Rule(
            "same source",
            "what was tried is this commit, and nothing else",
            "check out the commit that was tried, unchanged, or deploy this one to the environment before first",
        ),
        _find_other_source,
    ),
    (
        Rule(
            "same configs",
            "the environment before ran the files that this checkout has for it, and this one's are as rendered",
            "run aigateway render, commit, and deploy that to the environment before first",
        ),
        _find_other_configs,
    ),
    (
        Rule(
            "same images",
            "the images are those that ran before, by digest",
            "run: aigateway pin ENV --evidence FILE, which takes over the digests that aigateway pin dev resolved once",
        ),
        _find_other_images,
    ),
    (
        Rule(
            "settings",
            "settings differ only where they may",
            "make them alike in both gateway.yaml; which may differ stands in aigateway/promotion/differences.py",
        ),
        _find_forbidden_differences,
    ),
    (
        Rule(
            "scanned",
            "the scan of the plan that was applied, and of this checkout, passed",
            "run aigateway scan ENV --plan FILE and mend what it finds; give that plan to aigateway apply and accept",
        ),
        _find_unscanned,
    ),
)
