"""Which files of a folder Roo reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aigateway.errors import AigatewayError
from aigateway.rehearsing.files import MOST_BYTES, list_files


def fill(root: Path, *names: str, text: str = "text\n") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names_of(root: Path) -> list[str]:
    return [path.relative_to(root.resolve()).as_posix() for path in list_files(root).files]


def test_kinds_that_roo_knows_are_read_whatever_their_case(tmp_path: Path) -> None:
    fill(tmp_path, "a.py", "B.PY", "c.md", "d.yaml", "e", "Makefile", "f.exe")
    assert names_of(tmp_path) == ["B.PY", "a.py", "c.md"]
    assert list_files(tmp_path).unsupported == 4


@pytest.mark.parametrize(
    "name",
    [
        "node_modules/a.js",
        "deep/node_modules/b/a.js",
        ".venv/a.py",
        ".hidden.py",
        "venv/a.py",
        "dist/a.js",
        "pkg/a.go",
        "target/dependency/a.java",
    ],
)
def test_folders_that_roo_never_reads(tmp_path: Path, name: str) -> None:
    fill(tmp_path, name, "src/a.py", "target/a.py")
    assert names_of(tmp_path) == ["src/a.py", "target/a.py"]


def test_gitignore_of_every_folder_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    fill(
        tmp_path,
        "a.py",
        "made.py",
        "deep/made.py",
        "deep/kept/made.py",
        "deep/b.py",
        "build/c.py",
        "deep/local.py",
    )
    (tmp_path / ".gitignore").write_text("made.py\n/build/\n")
    (tmp_path / "deep/.gitignore").write_text("local.py\n")
    (tmp_path / "deep/kept/.gitignore").write_text("!made.py\n")
    assert names_of(tmp_path) == ["a.py", "deep/b.py", "deep/kept/made.py"]


def test_gitignore_above_the_folder_counts_up_to_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.py\n")
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    (repository / ".gitignore").write_text("/inside/made.py\n")
    fill(repository, "inside/made.py", "inside/a.py")
    assert names_of(repository / "inside") == ["a.py"]


def test_outside_a_repository_only_the_folders_own_gitignore_counts(tmp_path: Path) -> None:
    fill(tmp_path, "a.py", "made.py", "deep/b.py")
    (tmp_path / ".gitignore").write_text("made.py\n")
    (tmp_path / "deep/.gitignore").write_text("b.py\n")
    assert names_of(tmp_path) == ["a.py", "deep/b.py"]


def test_rooignore_is_heeded_also_through_a_link(tmp_path: Path) -> None:
    fill(tmp_path, "a.py", "secret/b.py")
    (tmp_path / ".rooignore").write_text("secret/\n")
    (tmp_path / "link.py").symlink_to(tmp_path / "secret/b.py")
    assert names_of(tmp_path) == ["a.py"]


def test_larger_than_a_megabyte_is_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a.py", text="x" * MOST_BYTES)
    fill(tmp_path, "b.py", text="x" * (MOST_BYTES + 1))
    assert names_of(tmp_path) == ["a.py"]
    assert list_files(tmp_path).too_large == 1


def test_links_are_followed_and_not_round_in_circles(tmp_path: Path) -> None:
    fill(tmp_path, "root/a/b.py", "outside/c.py")
    root = tmp_path / "root"
    (root / "a/loop").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "broken.py").symlink_to(root / "nowhere")
    (root / "other").symlink_to(tmp_path / "outside")
    assert names_of(root) == ["a/b.py", "other/c.py"]


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, "a.py")
    os.mkfifo(tmp_path / "pipe.py")
    assert names_of(tmp_path) == ["a.py"]


def test_it_ends_where_roo_ends(tmp_path: Path) -> None:
    fill(tmp_path, "a.py", "b.py", "c.txt", "d.py")
    listing = list_files(tmp_path, most=3)
    assert ([path.name for path in listing.files], listing.cut_off) == (["a.py", "b.py"], True)
    assert not list_files(tmp_path, most=4).cut_off


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    fill(tmp_path, "a.py")
    with Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py")).open("w"):
        pass
    assert len(list_files(tmp_path).files) == 2


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _path: None, "No such file or directory"),
        (lambda path: path.write_text("text"), "is no folder"),
        (lambda path: path.symlink_to(path), "cannot be indexed"),
    ],
)
def test_a_path_that_is_no_folder_is_refused(tmp_path: Path, make: object, says: str) -> None:
    path = tmp_path / "path"
    assert callable(make)
    make(path)
    with pytest.raises(AigatewayError, match=says):
        list_files(path)


def test_the_home_folder_is_refused_as_by_roo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(AigatewayError, match="name a project's folder"):
        list_files(tmp_path)
