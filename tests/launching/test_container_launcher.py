"""Containers start hardened, stop whole, and leave nothing behind when they cannot start; skipped without an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from conftest import PATIENCE_SECONDS, Machine, find_containers, name_images, require_engine
from testcontainers.core.container import DockerContainer

from aigateway.errors import LaunchError
from aigateway.launching import container
from aigateway.launching.commands import StartCommand
from aigateway.launching.container import ContainerLauncher, ContainerPart
from aigateway.launching.parts import EDGE_SLOTS, ProcessReference, quote_end
from aigateway.waiting import wait_until

#: What the part would be; `exec` so that it is told to end directly, and does.
WAIT = "trap 'exit 0' TERM; while :; do sleep 0.1; done"


@pytest.fixture
def images() -> Iterator[dict[str, str]]:
    require_engine()
    with ExitStack() as undo:
        names = name_images(undo)
        yield names
        assert find_containers(names) == [], "a container is left behind"


@pytest.fixture
def launcher(images: dict[str, str]) -> ContainerLauncher:
    return ContainerLauncher(images["AIGATEWAY_LITELLM_IMAGE"], images["AIGATEWAY_ENVOY_IMAGE"])


def wait_for(part: ContainerPart, text: str) -> str:
    assert wait_until(lambda: text in part.reference.read_log(), seconds=PATIENCE_SECONDS), (
        part.reference.read_log()
    )
    return part.reference.read_log()


def test_a_part_is_not_root_and_can_write_only_to_its_temporary_folder(launcher: ContainerLauncher) -> None:
    script = (
        "id -u; touch /tmp/here && echo temporary is writable; touch /here 2>/dev/null || echo root is not; "
        f"echo done; {WAIT}"
    )
    part = launcher.start_litellm(StartCommand("litellm", script, {}))
    try:
        said = wait_for(part, "done").splitlines()
        assert said == ["65532", "temporary is writable", "root is not", "done"]
        assert part.is_running()
    finally:
        part.stop()
    assert not part.is_running()


@pytest.mark.parametrize(("signal", "end"), [("SIGTERM", "exit code 3"), ("SIGKILL", "SIGKILL")])
def test_a_part_that_ended_says_by_what(launcher: ContainerLauncher, signal: str, end: str) -> None:
    script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"
    part = launcher.start_litellm(StartCommand("litellm", script, {}))
    try:
        wait_for(part, "ready")
        part.container.get_wrapped_container().kill(signal)
        assert wait_until(lambda: not part.is_running(), seconds=PATIENCE_SECONDS)
        assert part.explain_end() == end
    finally:
        part.stop()
    assert quote_end(part) == "(removed); its last lines:\n    (it has printed nothing)"


def test_litellm_that_refuses_before_it_has_ports_is_named_with_its_last_lines(
    launcher: ContainerLauncher, images: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = DockerContainer.start

    def start_and_wait(one: DockerContainer) -> DockerContainer:
        start(one).get_wrapped_container().wait()
        return one

    monkeypatch.setattr(DockerContainer, "start", start_and_wait)
    before = find_containers(images)
    with pytest.raises(LaunchError) as raised:
        launcher.start_litellm(StartCommand("litellm", "echo no model; exit 64", {}))
    assert str(raised.value) == (
        "litellm ended before it was ready (exit code 64); its last lines:\n    no model"
    )
    assert find_containers(images) == before


def test_both_parts_share_a_network_and_only_the_edges_ports_are_published(
    launcher: ContainerLauncher,
) -> None:
    litellm = launcher.start_litellm(StartCommand("litellm", f"echo $HOSTNAME; {WAIT}", {}))
    try:
        edge = launcher.start_edge(
            StartCommand("envoy", f"echo port $EDGE_PORT; {WAIT}", {}), litellm.reference, slot=2
        )
        try:
            wait_for(edge, "port 10002")
            published = litellm.container.get_wrapped_container().ports
            listening = {port: entries for port, entries in published.items() if entries}
            assert edge.base_url == f"http://127.0.0.1:{listening['10002/tcp'][0]['HostPort']}"
            assert set(listening) == {f"{10000 + slot}/tcp" for slot in range(EDGE_SLOTS)}
            assert {entry["HostIp"] for entries in listening.values() for entry in entries} == {"127.0.0.1"}
        finally:
            edge.stop()
    finally:
        litellm.stop()


def test_an_image_that_is_nowhere_is_named_with_what_to_do(images: dict[str, str]) -> None:
    launcher = ContainerLauncher("localhost:9/nope:1", images["AIGATEWAY_ENVOY_IMAGE"])
    with pytest.raises(LaunchError) as raised:
        launcher.start_litellm(StartCommand("litellm", WAIT, {}))
    said = str(raised.value)
    assert "localhost:9/nope:1" in said
    assert "AIGATEWAY_LITELLM_IMAGE" in said
    assert "--launcher process" in said
    assert find_containers({"": "localhost:9/nope:1"}) == []


def test_a_container_that_cannot_be_started_is_removed(
    launcher: ContainerLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(container._HARDENING, "entrypoint", ["/there/is/no/such/shell"])
    with pytest.raises(LaunchError, match=r"litellm .* could not be started: "):
        launcher.start_litellm(StartCommand("litellm", WAIT, {}))


def test_a_start_that_is_interrupted_leaves_no_container(
    launcher: ContainerLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(container, "_read_published_ports", interrupt)
    with pytest.raises(KeyboardInterrupt):
        launcher.start_litellm(StartCommand("litellm", WAIT, {}))


def test_an_edge_cannot_stand_in_front_of_a_process(launcher: ContainerLauncher, machine: Machine) -> None:
    reference = ProcessReference(port=1, log_path=machine.temporary / "log")
    with pytest.raises(LaunchError, match="start both with one launcher"):
        launcher.start_edge(StartCommand("envoy", WAIT, {}), reference)
