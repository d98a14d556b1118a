"""The gate lets through what was proven, and nothing that was changed, is stale, lacks something or is foreign."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proven import (
    NOW,
    ask,
    content_of,
    list_refused,
    release_of,
    reseal,
    seal_again,
    settings_of,
)

from aigateway.promotion.gate import judge
from aigateway.promotion.verdicts import list_differences, list_findings, render_markdown, summarize

Data = dict[str, Any]
DEV = content_of("dev")
VALID: Data = json.loads(DEV)

thorough = settings(max_examples=100, deadline=None)


def refuse(*contents: bytes, **changes: Any) -> set[str]:
    """The rules that refuse these files although GitHub vouches for each of them."""
    judgement = judge(ask(*contents, vouched=set(contents), **changes))
    assert not judgement.is_open
    return list_refused(judgement)


# --- what passes


def test_what_was_proven_passes() -> None:
    judgement = judge(ask(DEV, vouched={DEV}))
    assert judgement.is_open
    assert judgement.is_attested
    assert summarize(judgement) == f"staging: open, all {len(judgement.findings)} rules hold"


def test_prod_takes_staging_with_dev_or_without() -> None:
    staging = content_of("staging")
    for files in ((staging,), (DEV, staging)):
        assert judge(ask(*files, environment="prod", vouched=set(files))).is_open


def test_what_nobody_attested_passes_only_when_asked_for_and_says_so() -> None:
    judgement = judge(ask(DEV))
    assert judgement.is_open
    assert not judgement.is_attested
    assert "NOBODY ATTESTED" in summarize(judgement)
    (line,) = (line for line in list_findings(judgement, explain=False) if " attested " in line)
    assert "anybody can have written this" in line
    assert "NOBODY ATTESTED" in render_markdown(judgement)


# --- any single change


def list_places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in JSON data."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in list_places(inner, (*path, key)))]


PLACES = [place for place in list_places(VALID) if place]
TOP = [place for place in PLACES if place[0] != "scenarios"]
anywhere = st.sampled_from(TOP) | st.sampled_from(PLACES)
values = st.none() | st.booleans() | st.integers(-2, 10**6) | st.text(max_size=12) | st.just([]) | st.just({})


def change_at(place: tuple[Any, ...], value: Any, *, drop: bool) -> Data:
    data: Data = json.loads(DEV)
    inside: Any = data
    for key in place[:-1]:
        inside = inside[key]
    if drop:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return data


@thorough
@given(place=anywhere, value=values, drop=st.booleans(), indent=st.sampled_from([None, 2]))
def test_any_changed_value_is_refused(
    place: tuple[Any, ...], value: Any, drop: bool, indent: int | None
) -> None:
    data = change_at(place, value, drop=drop)
    changed = (json.dumps(data, indent=indent, ensure_ascii=False) + "\n").encode()
    if changed == DEV:
        return
    # GitHub is taken to vouch for it: the digest alone has to tell.
    assert "whole" in refuse(changed)


@thorough
@given(place=anywhere, value=values, drop=st.booleans())
def test_any_changed_value_with_a_new_digest_is_refused(
    place: tuple[Any, ...], value: Any, drop: bool
) -> None:
    data = change_at(place, value, drop=drop)
    changed = seal_again(data)
    if changed != DEV:
        judgement = judge(ask(changed, vouched={DEV}))
        assert not judgement.is_open


@thorough
@given(
    at=st.integers(0, len(DEV) - 1), byte=st.integers(0, 255), how=st.sampled_from(["put", "insert", "drop"])
)
def test_any_changed_byte_is_refused(at: int, byte: int, how: str) -> None:
    middle = b"" if how == "drop" else bytes([byte])
    changed = DEV[:at] + middle + DEV[at + (how != "insert") :]
    if changed != DEV:
        assert "whole" in refuse(changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.rstrip(b"\n"),
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b'"conformant": true', b'"conformant": false, "conformant": true'),
        lambda text: text.replace(b'"seconds": 90.5', b'"seconds": 90.50'),
        lambda text: text.replace(b"https://gateway", b"\\u0068ttps://gateway"),
        lambda text: text + text,
        lambda _: b"",
        lambda _: b"null",
        lambda _: b"\xff",
        lambda _: b"[" * 100_000,
    ],
)
def test_the_same_said_in_other_words_is_refused(change: Callable[[bytes], bytes]) -> None:
    changed = change(DEV)
    assert changed != DEV
    assert "whole" in refuse(changed)


# --- changed with a new digest, and vouched for: as a run that went otherwise would have left it


def put(*path: Any, value: Any) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        inside: Any = data
        for key in path[:-1]:
            inside = inside[key]
        assert inside[path[-1]] != value
        inside[path[-1]] = value

    return change


def find_core(data: Data) -> Data:
    scenario: Data = next(one for one in data["scenarios"] if one["core"])
    return scenario


def count_again(data: Data) -> None:
    counts: dict[str, dict[str, int]] = {}
    for one in data["scenarios"]:
        for requirement in one["requirements"]:
            verdicts = counts.setdefault(requirement, {})
            verdicts[one["verdict"]] = verdicts.get(one["verdict"], 0) + 1
    data["requirements"] = {name: dict(sorted(counts[name].items())) for name in sorted(counts)}


def end(verdict: str) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        find_core(data)["verdict"] = verdict
        count_again(data)

    return change


def drop_scenario(data: Data) -> None:
    data["scenarios"].remove(find_core(data))
    count_again(data)


def repeat_scenario(data: Data) -> None:
    data["scenarios"].append(find_core(data))
    count_again(data)


def drop_all_scenarios(data: Data) -> None:
    data["scenarios"], data["requirements"] = [], {}


OTHER = "sha256:" + "0" * 64
LATER, OLD = (NOW + timedelta(hours=1)).isoformat(), (NOW - timedelta(hours=169)).isoformat()


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("given", put("environment", value="staging")),
        ("given", put("environment", value="prod")),
        ("attested", put("origin", "repository", value="somebody/fork")),
        ("attested", put("origin", "repository", value="")),
        ("deployed", put("target", value="local")),
        ("deployed", put("revision", value="")),
        ("deployed", put("base_url", value="")),
        ("conformant", put("conformant", value=False)),
        ("conformant", put("selection", value="-k roo")),
        ("conformant", put("profile", value="codex")),
        ("conformant", end("failed")),
        ("conformant", end("error")),
        ("conformant", put("requirements", value={})),
        ("conformant", drop_all_scenarios),
        ("complete", end("skipped")),
        ("complete", drop_scenario),
        ("complete", repeat_scenario),
        ("complete", lambda data: find_core(data).update(scenario="Another")),
        ("complete", lambda data: find_core(data).update(core=False)),
        ("fresh", put("started_at", value=OLD)),
        ("fresh", put("started_at", value=LATER)),
        ("same source", put("release", "commit", value="f" * 40)),
        ("same source", put("release", "commit", value="")),
        ("same source", put("release", "dirty", value=True)),
        ("same source", put("release", "features", value=OTHER)),
        ("same source", put("release", "templates", value=OTHER)),
        ("same source", put("release", "infrastructure", value=OTHER)),
        ("same configs", put("release", "configs", "litellm.yaml", value=OTHER)),
        ("same configs", put("release", "configs", "terraform.tfvars.json", value=OTHER)),
        ("same configs", put("release", "configs", value={})),
        ("same images", put("release", "images", "litellm", "digest", value=OTHER)),
        ("same images", put("release", "images", "envoy", "digest", value=None)),
        ("same images", put("release", "images", "envoy", "tag", value="v1.39.0")),
        ("same images", put("release", "images", "litellm", "repository", value="ghcr.io/thief/litellm")),
        ("scanned", put("scan", value=None)),
        ("scanned", put("scan", "passed", value=False)),
        ("scanned", put("scan", "plan", value=OTHER)),
        ("scanned", put("scan", "plan", value=None)),
        ("scanned", put("plan", value=OTHER)),
        ("scanned", put("plan", value=None)),
        ("whole", put("schema_version", value=2)),
    ],
)
def test_a_run_that_went_otherwise_is_refused(rule: str, change: Callable[[Data], None]) -> None:
    assert rule in refuse(reseal(change))


# --- what is handed in


def test_the_environment_before_has_to_be_there() -> None:
    assert refuse() == {"given"}
    assert "given" in refuse(DEV, environment="prod")
    assert refuse(content_of("staging")) == {"given"}
    assert refuse(DEV, content_of("prod")) == {"given", "same configs", "settings"}


def test_two_files_of_one_environment_are_refused() -> None:
    other = reseal(put("seconds", value=91.5))
    assert refuse(DEV, other) == {"given"}


def test_one_file_that_cannot_be_read_closes_the_gate() -> None:
    assert refuse(DEV, b"{}") == {"whole"}


def test_one_bad_file_beside_a_good_one_closes_the_gate() -> None:
    bad = reseal(put("scan", value=None))
    assert refuse(bad, content_of("staging"), environment="prod") == {"scanned"}


def test_what_github_does_not_vouch_for_is_refused() -> None:
    judgement = judge(ask(DEV, vouched=set()))
    assert list_refused(judgement) == {"attested"}


# --- this checkout


def test_a_checkout_with_uncommitted_files_is_refused() -> None:
    releases = {"dev": release_of("dev"), "staging": release_of("staging").model_copy(update={"dirty": True})}
    assert refuse(DEV, releases=releases) == {"same source"}


def test_a_checkout_that_is_no_repository_is_refused() -> None:
    nothing = {"commit": "", "dirty": True}
    releases = {name: release_of(name).model_copy(update=nothing) for name in ("dev", "staging")}
    same = reseal(lambda data: data["release"].update(commit=""))
    assert refuse(same, releases=releases) == {"same source"}


def test_images_without_digests_are_refused() -> None:
    release = release_of("staging")
    bare = {
        part: getattr(release.images, part).model_copy(update={"digest": None})
        for part in ("litellm", "envoy")
    }
    images = release.images.model_copy(update=bare)
    releases = {"dev": release_of("dev"), "staging": release.model_copy(update={"images": images})}
    assert refuse(DEV, releases=releases) == {"same images"}


def test_files_that_the_settings_do_not_render_are_refused() -> None:
    """Nobody tried this environment's own files, whatever is said of those of the one before."""
    rendered = dict(release_of("staging").configs)
    rendered["envoy.yaml"] = OTHER
    assert refuse(DEV, rendered=rendered) == {"same configs"}


def test_a_new_scenario_has_to_be_tried_first() -> None:
    question = ask(DEV, vouched={DEV})
    core = next(one for one in question.scenarios if "deployed" in one.tags and not one.slow)
    added = replace(core, key=replace(core.key, scenario="Just written"))
    assert list_refused(judge(replace(question, scenarios=(*question.scenarios, added)))) == {"complete"}


def test_a_shorter_age_is_a_setting() -> None:
    staging = settings_of("staging")
    strict = staging.model_copy(
        update={"promotion": staging.promotion.model_copy(update={"evidence_max_age_hours": 1})}
    )
    both = {"dev": settings_of("dev"), "staging": strict}
    assert judge(ask(DEV, vouched={DEV}, settings=both)).is_open
    assert refuse(DEV, settings=both, now=NOW + timedelta(minutes=1)) == {"fresh"}


def test_settings_that_must_not_differ_are_refused_and_shown() -> None:
    staging = settings_of("staging")
    loose = staging.model_copy(update={"request_body_limit_mib": 4})
    both = {"dev": settings_of("dev"), "staging": loose}
    assert refuse(DEV, settings=both) == {"settings"}
    shown = list(list_differences(judge(ask(DEV, vouched={DEV}, settings=both))))
    assert "✗ request_body_limit_mib: 8 → 4" in shown
    assert "  scale.max_replicas: 1 → 2" in shown


# --- what it says


def test_each_rule_has_a_line_and_each_refusal_an_advice() -> None:
    judgement = judge(ask(reseal(put("scan", value=None)), vouched=set()))
    lines = list(list_findings(judgement, explain=True))
    assert sum(line[0] in "✓✗!?" for line in lines) == len(judgement.findings)
    assert sum(line.strip().startswith("→") for line in lines) == 2
    page = render_markdown(judgement)
    assert page.startswith("## Gate of staging: CLOSED, 2 of ")
    assert "aigateway scan ENV" in page


def test_a_long_list_is_cut() -> None:
    lines = list(list_findings(judge(ask(reseal(drop_all_scenarios))), explain=False))
    assert len(lines) < 40
    assert any("more" in line for line in lines)
