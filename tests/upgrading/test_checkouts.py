"""Where the version stands in a checkout, and how it gets there: in all places or in none."""

from __future__ import annotations

from pathlib import Path

import pytest
from trying import GATEWAY, OTHER, PRESENT, ROOT, make_checkout, read_all

from aigateway.errors import AigatewayError
from aigateway.settings.model import LiteLLMImage
from aigateway.upgrading import checkouts
from aigateway.upgrading.candidate import read_version
from aigateway.upgrading.checkouts import (
    MODEL,
    WANTED,
    carry_over,
    copy_checkout,
    find_changes,
    read_present,
    set_version,
)

CANDIDATE = read_version(OTHER)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_checkout(tmp_path)


def test_the_checkout_has_one_version() -> None:
    assert read_present(ROOT).tag == LiteLLMImage().tag


def test_the_version_is_set_where_it_is_wanted_and_nowhere_else(root: Path) -> None:
    before = read_all(root)
    set_version(root, CANDIDATE)
    after = read_all(root)
    assert {name for name in before if before[name] != after[name]} == {str(WANTED), str(MODEL)}
    for name in (str(WANTED), str(MODEL)):
        assert after[name] == before[name].replace(PRESENT.encode(), OTHER.encode())


def test_a_tag_of_an_environments_own_is_set_too_and_its_comments_stay(root: Path) -> None:
    path = root / GATEWAY
    head = path.read_text()
    path.write_text(
        head + "images:\n  litellm: # ours\n    tag: 'v1.100.0' # why not\n  envoy: {tag: v1.40.0}\n"
    )
    set_version(root, CANDIDATE)
    assert path.read_text() == (
        head + f"images:\n  litellm: # ours\n    tag: v{OTHER} # why not\n  envoy: {{tag: v1.40.0}}\n"
    )


def test_a_digest_is_of_the_version_before(root: Path) -> None:
    path = root / GATEWAY
    line = len(path.read_text().splitlines()) + 3
    path.write_text(f"{path.read_text()}images:\n  litellm:\n    digest: sha256:{'0a' * 32}\n")
    with pytest.raises(AigatewayError, match=rf"gateway\.yaml:{line}: images\.litellm\.digest .* delete it"):
        set_version(root, CANDIDATE)


@pytest.mark.parametrize(
    ("name", "text"), [(WANTED, "litellm==1.0.0\n"), (MODEL, "class LiteLLMImage(Image):\n    tag = 1\n")]
)
def test_a_place_that_is_not_there_any_more_is_told(root: Path, name: Path, text: str) -> None:
    (root / name).write_text(text)
    with pytest.raises(AigatewayError, match=f"{name.name}: must have one"):
        set_version(root, CANDIDATE)


def test_a_copy_has_what_git_would_take_and_no_more(root: Path, tmp_path: Path) -> None:
    (root / "build").mkdir()
    (root / "build" / "result.json").write_text("{}")
    copy_checkout(root, tmp_path / "copy")
    assert read_all(tmp_path / "copy") == read_all(root)
    assert not (tmp_path / "copy" / "build").exists()


def prepare(root: Path, tmp_path: Path) -> tuple[checkouts.Change, ...]:
    before, after = tmp_path / "a", tmp_path / "b"
    copy_checkout(root, before)
    copy_checkout(root, after)
    set_version(after, CANDIDATE)
    return find_changes(before, after)


def test_changes_are_carried_over(root: Path, tmp_path: Path) -> None:
    changes = prepare(root, tmp_path)
    carry_over(root, changes)
    assert read_all(root) == read_all(tmp_path / "b")
    assert [one.name for one in changes] == [str(WANTED), str(MODEL)]


NEW = Path("infra/env/dev/more.yaml")


def prepare_new(root: Path, tmp_path: Path) -> tuple[checkouts.Change, ...]:
    """As if the candidate's render made one file more, and running it left another."""
    prepare(root, tmp_path)
    after = tmp_path / "b"
    for name in (NEW, Path("aigateway/__pycache__/cli.pyc")):
        (after / name).parent.mkdir(parents=True, exist_ok=True)
        (after / name).write_bytes(b"new\n")
    return find_changes(tmp_path / "a", after)


def test_a_file_that_only_the_candidate_renders_is_carried_over(root: Path, tmp_path: Path) -> None:
    changes = prepare_new(root, tmp_path)
    assert [one.name for one in changes] == [str(WANTED), str(MODEL), str(NEW)]
    carry_over(root, changes)
    assert (root / NEW).read_text() == "new\n"


def test_a_new_file_is_written_over_nobodys(root: Path, tmp_path: Path) -> None:
    changes = prepare_new(root, tmp_path)
    (root / NEW).write_text("another's work")
    with pytest.raises(AigatewayError, match=r"more\.yaml: changed while .* nothing was written"):
        carry_over(root, changes)


def test_a_new_file_is_taken_back_when_the_rest_cannot_be_written(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = prepare_new(root, tmp_path)
    before = read_all(root)
    write = checkouts.write_atomically

    def fail(path: Path, text: str) -> None:
        if path == root / MODEL and OTHER in text:
            raise AigatewayError("the disk is full")
        write(path, text)

    monkeypatch.setattr(checkouts, "write_atomically", fail)
    with pytest.raises(AigatewayError, match="the disk is full"):
        carry_over(root, reversed(changes))
    assert read_all(root) == before


def test_nothing_is_written_over_a_file_that_was_changed_meanwhile(root: Path, tmp_path: Path) -> None:
    changes = prepare(root, tmp_path)
    (root / MODEL).write_text("another's work")
    before = read_all(root)
    with pytest.raises(AigatewayError, match=r"settings/model\.py: changed while .* nothing was written"):
        carry_over(root, changes)
    assert read_all(root) == before


def test_what_was_written_is_taken_back_when_the_rest_cannot_be(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = prepare(root, tmp_path)
    before = read_all(root)
    write = checkouts.write_atomically

    def fail(path: Path, text: str) -> None:
        if path == root / MODEL:
            raise AigatewayError("the disk is full")
        write(path, text)

    monkeypatch.setattr(checkouts, "write_atomically", fail)
    with pytest.raises(AigatewayError, match="the disk is full"):
        carry_over(root, changes)
    assert read_all(root) == before
