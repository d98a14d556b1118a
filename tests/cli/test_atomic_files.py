"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aigateway import cli
from aigateway.errors import AigatewayError
from aigateway.files import write_atomically

OLD = "what stood here before\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.yaml"
    path.write_text(OLD)
    return path


def test_a_file_is_replaced_and_everybody_can_read_it(path: Path) -> None:
    write_atomically(path, "new é\r\n")
    assert path.read_bytes() == "new é\r\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, "Input/output error")]
)
def test_a_disk_that_fails_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, reason: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(
        AigatewayError, match=f"file.yaml: cannot be written: {reason}; nothing was changed there"
    ):
        write_atomically(path, "new")
    assert path.read_text() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_the_system_cuts_short_leaves_the_old_one(path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    script = (
        "import pathlib, sys; from aigateway.files import write_atomically\n"
        "write_atomically(pathlib.Path(sys.argv[1]), 'x' * 100_000)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, path],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "AigatewayError" in done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert path.read_text() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(OLD)
    with pytest.raises(AigatewayError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "below", "new")


def test_a_folder_that_cannot_be_written_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    # A test that runs as root could write to any folder.
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(AigatewayError, match="cannot be written: Permission denied"):
        write_atomically(path, "new")
    assert path.read_text() == OLD


def test_a_full_disk_anywhere_ends_a_command_with_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: /somewhere: No space left on device\n"


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "not there", "/somewhere")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(FileNotFoundError):
        cli.main()
