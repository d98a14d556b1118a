"""A gateway that does not come up, or goes down, says which part it was and what that part printed last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ALL_MODELS, PATIENCE_SECONDS, SERVING, Machine
from rich.console import Console

from aigateway.errors import AigatewayError, LaunchError
from aigateway.launching.choice import choose_launcher
from aigateway.launching.commands import StartCommand
from aigateway.launching.parts import ContainerReference, ProcessReference, name_exit
from aigateway.launching.ports import find_free_port, require_free_port
from aigateway.launching.process import ProcessLauncher
from aigateway.launching.stack import Stack, run_stack
from aigateway.rendering.renderer import ENVOY, Rendering, render_environment
from aigateway.settings.model import Settings
from aigateway.waiting import wait_until

QUIET = Console(quiet=True)


@pytest.fixture
def here(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """This process runs on `machine`."""
    for name in ("AIGATEWAY_CACHE", "TMPDIR"):
        monkeypatch.setenv(name, machine.environment[name])
    monkeypatch.setattr(tempfile, "tempdir", str(machine.temporary))
    return machine


def load(machine: Machine) -> Rendering:
    return render_environment(machine.checkout, "dev")


@contextmanager
def run(machine: Machine, rendering: Rendering | None = None) -> Iterator[Stack]:
    rendering = rendering or load(machine)
    launcher = choose_launcher("process", rendering.settings, QUIET)
    with run_stack(machine.checkout, rendering, launcher) as stack:
        yield stack


def find_own_children(machine: Machine) -> list[int]:
    return [pid for pid in machine.find_processes() if pid != os.getpid()]


def test_a_stack_becomes_ready_and_leaves_nothing_behind(here: Machine) -> None:
    here.use_litellm(ALL_MODELS + SERVING)
    with run(here) as stack:
        stack.wait_until_ready(PATIENCE_SECONDS)
        # The edge is two: its start script waits to drain it.
        assert len(find_own_children(here)) == 4
    assert find_own_children(here) == []
    assert list(here.temporary.iterdir()) == []


def test_litellm_that_ends_at_once_is_named_with_its_last_lines(here: Machine) -> None:
    here.use_litellm("import sys\nfor n in range(50): print('line', n)\nsys.exit('model_list is no list')\n")
    with pytest.raises(LaunchError) as raised, run(here) as stack:
        stack.wait_until_ready(PATIENCE_SECONDS)
    said = str(raised.value)
    assert said.startswith("litellm ended before it was ready (exit code 1); its last lines:\n")
    assert "model_list is no list" in said
    assert "line 49" in said
    assert "line 10\n" not in said, "the last lines, not all"
    assert list(here.temporary.iterdir()) == []


def test_envoy_with_a_broken_config_is_named_with_its_last_lines(here: Machine) -> None:
    here.use_litellm(ALL_MODELS + SERVING)
    rendering = load(here)
    broken = replace(rendering, texts={**rendering.texts, ENVOY: "no_such_field: 1\n"})
    with (
        pytest.raises(LaunchError, match=r"(?s)^envoy ended before it was ready.*no_such_field"),
        run(here, broken) as stack,
    ):
        stack.wait_until_ready(PATIENCE_SECONDS)
    assert list(here.temporary.iterdir()) == []


def test_where_litellm_has_ended_an_edge_that_cannot_join_it_is_not_the_reason(
    here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.use_litellm("raise SystemExit('model_list is no list')")

    def fail_to_join(_launcher: ProcessLauncher, _command: StartCommand, litellm: ProcessReference) -> None:
        os.waitid(os.P_PID, litellm.pid, os.WEXITED | os.WNOWAIT)
        raise LaunchError("cannot join the network of a container that does not run")

    monkeypatch.setattr(ProcessLauncher, "start_edge", fail_to_join)
    with pytest.raises(LaunchError, match=r"^litellm ended before it was ready \(exit code 1\)"), run(here):
        pass


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0, "exit code 0"),
        (64, "exit code 64"),
        (-11, "SIGSEGV"),
        (139, "SIGSEGV"),
        (137, "SIGKILL"),
        (128, "exit code 128"),
        (255, "exit code 255"),
    ],
)
def test_an_exit_code_that_stands_for_a_signal_is_named_after_it(code: int, name: str) -> None:
    assert name_exit(code) == name


def test_a_start_script_that_refuses_says_so_in_the_error(here: Machine) -> None:
    here.use_litellm(ALL_MODELS + SERVING)
    rendering = load(here)
    broken = replace(rendering, texts={**rendering.texts, ENVOY: "key: ${lower}\n"})
    with (
        pytest.raises(LaunchError, match="envoy does not start: its config has a placeholder"),
        run(here, broken) as stack,
    ):
        stack.wait_until_ready(PATIENCE_SECONDS)


def test_litellm_that_never_serves_is_named_at_the_deadline(here: Machine) -> None:
    here.use_litellm("import signal\nprint('waiting for a database', flush=True)\nsignal.pause()\n")
    with run(here) as stack:
        assert wait_until(lambda: "database" in stack.litellm.reference.read_log(), seconds=PATIENCE_SECONDS)
        with pytest.raises(LaunchError) as raised:
            stack.wait_until_ready(3)
    said = str(raised.value)
    assert said.startswith("the gateway was not ready within 3 s; last state: ")
    assert "waiting for a database" in said
    assert "envoy, last lines:\n" in said
    assert find_own_children(here) == []
    assert list(here.temporary.iterdir()) == []


def test_a_part_that_ignores_the_end_is_ended_by_force(
    here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aigateway.launching.process._GRACE_SECONDS", 0.2)
    here.use_litellm(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\n"
        "while True: signal.pause()\n"
    )
    with run(here) as stack:
        assert wait_until(lambda: "deaf" in stack.litellm.reference.read_log(), seconds=PATIENCE_SECONDS)
    assert find_own_children(here) == []
    assert list(here.temporary.iterdir()) == []


def test_a_deployment_that_litellm_dropped_without_a_word_is_missed(here: Machine) -> None:
    here.use_litellm("MODELS = ['gpt-5.3-codex']\n" + SERVING)
    with (
        pytest.raises(LaunchError, match=r"runs without text-embedding-3-large: .*litellm\.yaml"),
        run(here) as stack,
    ):
        stack.wait_until_ready(PATIENCE_SECONDS)


def test_a_wait_can_be_given_up(here: Machine) -> None:
    here.use_litellm("import signal\nsignal.pause()\n")
    with run(here) as stack:
        stack.wait_until_ready(PATIENCE_SECONDS, give_up=lambda: True)


def test_the_message_of_a_part_that_printed_nothing_is_still_a_message(here: Machine) -> None:
    here.use_litellm("raise SystemExit(1)\n")
    with pytest.raises(LaunchError, match="it has printed nothing"), run(here) as stack:
        stack.wait_until_ready(PATIENCE_SECONDS)


def test_the_parts_see_nothing_of_this_machine_that_could_configure_them(
    here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AZURE_API_KEY",
        "OPENAI_API_KEY",
        "LITELLM_LOG",
        "DATABASE_URL",
        "HTTP_PROXY",
        "PYTHONPATH",
    ):
        monkeypatch.setenv(name, "from-this-machine")
    here.use_litellm("import os\nprint(sorted(os.environ.items()), flush=True)\n" + ALL_MODELS + SERVING)
    with run(here) as stack:
        stack.wait_until_ready(PATIENCE_SECONDS)
        said = stack.litellm.reference.read_log()
    assert "AZURE_OPENAI_KEY" in said
    assert "from-this-machine" not in said


def test_a_temporary_folder_that_cannot_be_made_is_an_error_that_says_so(
    here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.use_litellm(ALL_MODELS + SERVING)
    launcher = choose_launcher("process", load(here).settings, QUIET)
    monkeypatch.setattr(tempfile, "tempdir", str(here.temporary / "not-there"))
    with pytest.raises(LaunchError, match=r"no temporary folder can be made for litellm: .*TMPDIR"):
        launcher.start_litellm(StartCommand("litellm", "true", {}))


def test_a_shell_that_is_not_there_is_an_error_and_leaves_no_folder(here: Machine) -> None:
    class Nothing(StartCommand):
        @property
        def arguments(self) -> list[str]:
            return ["/not/there"]

    here.use_litellm(ALL_MODELS + SERVING)
    launcher = choose_launcher("process", load(here).settings, QUIET)
    with pytest.raises(LaunchError, match="litellm could not be started: "):
        launcher.start_litellm(Nothing("litellm", "", {}))
    assert list(here.temporary.iterdir()) == []


def test_an_edge_of_one_kind_cannot_stand_in_front_of_another(here: Machine) -> None:
    here.use_litellm(ALL_MODELS + SERVING)
    launcher = choose_launcher("process", load(here).settings, QUIET)
    assert isinstance(launcher, ProcessLauncher)
    with pytest.raises(LaunchError, match="start both with one launcher"):
        launcher.start_edge(StartCommand("envoy", "", {}), ContainerReference(container_id="0"))


def test_the_parts_end_when_their_parent_is_killed(machine: Machine) -> None:
    if sys.platform != "linux":
        pytest.skip("the kernel of Linux alone does this")
    machine.use_litellm(ALL_MODELS + SERVING)
    parent = machine.start("up", "dev", "--launcher", "process")
    try:
        assert parent.stdout is not None
        assert "dev gateway" in parent.stdout.readline()
        assert len(machine.find_processes()) == 5
        parent.send_signal(signal.SIGKILL)
        assert parent.wait(PATIENCE_SECONDS) == -signal.SIGKILL
        assert wait_until(lambda: not machine.find_processes(), seconds=PATIENCE_SECONDS)
    finally:
        machine.kill(parent)
        parent.communicate()


def test_a_taken_port_is_said_and_a_free_one_is_not() -> None:
    port = find_free_port()
    require_free_port(port)
    with (
        subprocess_that_listens() as taken,
        pytest.raises(LaunchError, match=f"port {taken} of 127.0.0.1 cannot be used"),
    ):
        require_free_port(taken)


@contextmanager
def subprocess_that_listens() -> Iterator[int]:
    script = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); s.accept()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


# --- which launcher


def with_tag(settings: Settings, part: str, tag: str) -> Settings:
    image = getattr(settings.images, part).model_copy(update={"tag": tag})
    return settings.model_copy(update={"images": settings.images.model_copy(update={part: image})})


@pytest.mark.parametrize(("part", "tag"), [("litellm", "v1.999.0"), ("envoy", "v1.999.0")])
def test_processes_of_another_version_than_the_images_are_refused(here: Machine, part: str, tag: str) -> None:
    settings = with_tag(load(here).settings, part, tag)
    with pytest.raises(
        LaunchError,
        match=rf"^images\.{part}\.tag is {tag}, but the process launcher has .*--launcher container",
    ):
        choose_launcher("process", settings, QUIET)


def test_without_an_engine_containers_are_refused_and_auto_takes_processes(
    here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.use_litellm(ALL_MODELS + SERVING)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{here.temporary}/no-engine")
    settings = load(here).settings
    with pytest.raises(LaunchError, match="no Docker engine answers; start it, or use --launcher process"):
        choose_launcher("container", settings, QUIET)
    assert choose_launcher("auto", settings, QUIET).name == "process"


def test_every_error_of_launching_ends_a_command_with_code_2() -> None:
    assert issubclass(LaunchError, AigatewayError)
    assert LaunchError.exit_code == 2


def test_the_log_of_a_part_that_is_gone_is_empty(tmp_path: Path) -> None:
    from aigateway.launching.parts import ProcessReference, quote_log

    assert quote_log(ProcessReference(port=1, log_path=tmp_path / "gone")) == "    (it has printed nothing)"
