"""How the commands of a copy are run: with the copy's own code, and with nothing left when they are stopped."""

from __future__ import annotations

import io
import os
import signal
import threading
from pathlib import Path

import pytest
from rich.console import Console
from trying import make_run, make_scenario

from aigateway.errors import AigatewayError
from aigateway.reporting.job_page import STEP_SUMMARY
from aigateway.signals import interrupt_on_terminate
from aigateway.upgrading.trial import Copy
from aigateway.waiting import wait_until

_PATIENCE_SECONDS = 120


def make_copy(folder: Path, script: str) -> Copy:
    """A copy whose command line is `script`, which has `words`, the arguments."""
    package = folder / "aigateway"
    package.mkdir()
    (package / "__init__.py").touch()
    body = "\n".join(f"    {line}" for line in script.splitlines())
    (package / "cli.py").write_text(f"import os, sys, time\ndef main():\n    words = sys.argv[1:]\n{body}\n")
    return Copy(folder, Console(quiet=True))


def test_it_is_the_copys_own_code_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STEP_SUMMARY, "page.md")
    copy = make_copy(
        tmp_path, f"open('said', 'w').write(repr((words, os.getcwd(), os.environ.get({STEP_SUMMARY!r}))))"
    )
    copy.run_aigateway("render", "dev")
    assert (tmp_path / "said").read_text() == repr((["render", "dev"], str(tmp_path), None))


def test_what_it_says_of_its_progress_is_shown(tmp_path: Path) -> None:
    said = io.StringIO()
    copy = make_copy(tmp_path, "print('1/2 [bold]', file=sys.stderr); print('a table')")
    Copy(copy.root, Console(file=said)).run_aigateway("accept")
    assert said.getvalue() == "  1/2 [bold]\n"


def test_a_command_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    copy = make_copy(tmp_path, "sys.exit('starting\\nerror: a rule is broken\\nin line 3')")
    with pytest.raises(AigatewayError, match=r"^a rule is broken\nin line 3$"):
        copy.run_aigateway("lint")


def test_what_a_part_had_logged_does_not_push_the_message_out(tmp_path: Path) -> None:
    copy = make_copy(
        tmp_path, "sys.exit('error: not ready within 120 s\\n' + '\\n'.join(map('log {}'.format, range(50))))"
    )
    with pytest.raises(AigatewayError, match=r"^not ready within 120 s\nlog 0\n") as caught:
        copy.run_aigateway("accept")
    assert "log 49" not in str(caught.value)


def test_a_command_that_ends_without_a_message_is_told_with_its_last_lines(tmp_path: Path) -> None:
    copy = make_copy(tmp_path, "sys.stderr.write('Traceback\\nKeyError\\n'); sys.exit(3)")
    with pytest.raises(AigatewayError, match=r"^Traceback\nKeyError$"):
        copy.run_aigateway("render")


def test_only_a_command_that_judges_may_say_no(tmp_path: Path) -> None:
    copy = make_copy(tmp_path, "sys.exit(1)")
    copy.run_aigateway("accept", judges=True)
    with pytest.raises(AigatewayError):
        copy.run_aigateway("render")


def test_what_accept_found_is_read(tmp_path: Path) -> None:
    result = make_run(make_scenario("a", "failed", reason="no"))
    copy = make_copy(
        tmp_path,
        "assert words == ['accept', 'dev', '--launcher=process', '--profile=codex', '-k', 'a or b']\n"
        "os.makedirs('build/accept/dev')\n"
        f"open('build/accept/dev/result.json', 'w').write({result.model_dump_json()!r})\n"
        "sys.exit(1)",
    )
    assert copy.accept("dev", "codex", "a or b") == result


def test_a_run_that_leaves_nothing_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(AigatewayError, match=r"result\.json: the run left none"):
        make_copy(tmp_path, "pass").accept("dev", "core", "")


def test_the_lock_is_made_by_the_copys_own_script(tmp_path: Path) -> None:
    copy = make_copy(tmp_path, "pass")
    script = tmp_path / "scripts" / "lock"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\necho "$@" >locked\n"$PYTHON" -c ""\n')
    script.chmod(0o755)
    copy.lock_runtime()
    assert (tmp_path / "locked").read_text() == "runtime\n"


def test_when_it_is_told_to_end_the_command_ends_in_order_before(tmp_path: Path) -> None:
    copy = make_copy(
        tmp_path,
        "import signal\n"
        "def stop(*_): open('stopped', 'w').close(); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "open('started', 'w').close()\n"
        "time.sleep(600)",
    )

    def end_us() -> None:
        wait_until((tmp_path / "started").exists, seconds=_PATIENCE_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=end_us)
    with interrupt_on_terminate():
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            copy.run_aigateway("accept")
    thread.join()
    assert (tmp_path / "stopped").exists()
