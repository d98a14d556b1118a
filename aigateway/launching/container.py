"""The gateway as two containers that share a network, as the two containers of one Container App do."""

from __future__ import annotations

import contextlib
import ipaddress
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import docker
import docker.errors
from testcontainers.core.container import DockerContainer

from aigateway.errors import LaunchError
from aigateway.launching.commands import PartName, StartCommand
from aigateway.launching.parts import (
    EDGE_SLOTS,
    ContainerReference,
    LauncherName,
    PartReference,
    name_exit,
    require_started,
)

_LOOPBACK = "127.0.0.1"
_HOST_NAME = "host.docker.internal"
_GRACE_SECONDS = 10

#: An Envoy listens on this port plus its slot. The owner of the network has to publish them all when it starts.
_FIRST_EDGE_PORT = 10000

# As deployed: not root, nothing writable but /tmp.
_HARDENING: dict[str, Any] = {
    "user": "65532:65532",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "entrypoint": ["/bin/sh", "-c"],
}


@dataclass(frozen=True)
class ContainerPart:
    """A container that is removed when it is stopped."""

    name: str
    reference: ContainerReference
    container: DockerContainer
    port: int = 0

    @property
    def base_url(self) -> str:
        """Where clients on this machine reach it."""
        return f"http://{_LOOPBACK}:{self.port}"

    def is_running(self) -> bool:
        """Whether it has not ended."""
        wrapped = self.container.get_wrapped_container()
        try:
            wrapped.reload()
        except docker.errors.NotFound:
            return False
        return bool(wrapped.status in {"created", "running"})

    def explain_end(self) -> str:
        """The exit code or the signal that it ended with, and whether it had too little memory."""
        wrapped = self.container.get_wrapped_container()
        try:
            wrapped.reload()
        except docker.errors.NotFound:
            return "removed"
        state = wrapped.attrs["State"]
        return name_exit(state["ExitCode"]) + (", out of memory" if state["OOMKilled"] else "")

    def stop(self) -> None:
        """Stop and remove it."""
        with contextlib.suppress(docker.errors.NotFound):
            self.container.get_wrapped_container().stop(timeout=_GRACE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Remove it, even while it runs."""
        with contextlib.suppress(docker.errors.NotFound):
            self.container.stop()


class ContainerLauncher:
    """Runs the parts with the Docker engine, from the images that are deployed."""

    name: LauncherName = "container"

    def __init__(self, litellm_image: str, envoy_image: str) -> None:
        self._images = {"litellm": litellm_image, "envoy": envoy_image}
        self.host_address = _find_host_address()

    def url_for_parts(self, url: str) -> str:
        """The same server under the name that this machine has in a container."""
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=f"{_HOST_NAME}:{parts.port}"))

    def start_litellm(self, command: StartCommand, *, port: int = 0) -> ContainerPart:
        """Start LiteLLM as the owner of the shared network; it publishes the ports of the edges."""
        container = self._describe(command).with_kwargs(
            **_HARDENING, extra_hosts={_HOST_NAME: "host-gateway"}
        )
        for slot in range(EDGE_SLOTS):
            published = (_LOOPBACK, port if port and slot == 0 else None)
            container.ports[f"{_FIRST_EDGE_PORT + slot}/tcp"] = published  # type: ignore[assignment] # docker-py takes it
        with _removing_on_failure(container):
            started = ContainerReference(container_id=self._start(command, container))
            ports = _read_published_ports(ContainerPart("litellm", started, container))
        return ContainerPart("litellm", started.model_copy(update={"edge_ports": ports}), container)

    def start_edge(self, command: StartCommand, litellm: PartReference, *, slot: int = 0) -> ContainerPart:
        """Start an Envoy in the network of `litellm`."""
        litellm = _require_container(litellm)
        container = self._describe(command).with_kwargs(
            **_HARDENING, network_mode=f"container:{litellm.container_id}"
        )
        container.with_env("EDGE_PORT", str(_FIRST_EDGE_PORT + slot))
        port = litellm.edge_ports[slot]
        with _removing_on_failure(container):
            reference = ContainerReference(container_id=self._start(command, container))
        return ContainerPart("envoy", reference, container, port)

    def identify(self, litellm: PartReference) -> str:
        """The image."""
        with _require_container(litellm).connect() as container:
            return str(container.attrs["Image"])

    def run_python(self, litellm: PartReference, code: str) -> str:
        """Run `code` in the container."""
        with _require_container(litellm).connect() as container:
            answer: Any = container.exec_run(["python3", "-c", code], demux=True)
        output, complaint = ((text or b"").decode(errors="replace") for text in answer.output)
        if answer.exit_code:
            raise LaunchError(f"what was run beside litellm failed; its last lines:\n{complaint[-2000:]}")
        return output

    def _describe(self, command: StartCommand) -> DockerContainer:
        container = DockerContainer(self._images[command.part], env=command.environment)
        return container.with_command([command.script]).with_tmpfs_mount("/tmp", "mode=1777,size=256m")  # noqa: S108

    def _start(self, command: StartCommand, container: DockerContainer) -> str:
        image = self._images[command.part]
        _require_image(command.part, image)
        try:
            container.start()
        except docker.errors.APIError as error:
            raise LaunchError(
                f"{command.part} ({image}) could not be started: {error.explanation}"
            ) from error
        return str(container.get_wrapped_container().id)


def _require_container(part: PartReference) -> ContainerReference:
    if not isinstance(part, ContainerReference):
        raise LaunchError("a container cannot stand in front of a process; start both with one launcher")
    return part


def _require_image(part: PartName, image: str) -> None:
    """Pull `image` unless it is here."""
    client = connect_engine()
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        try:
            client.images.pull(image)
        except docker.errors.APIError as error:
            raise LaunchError(
                f"image {image} is not here and cannot be pulled ({error.explanation}); name a mirror's with "
                f"AIGATEWAY_{part.upper()}_IMAGE, or use --launcher process"
            ) from error
    finally:
        client.close()


@contextlib.contextmanager
def _removing_on_failure(container: DockerContainer) -> Iterator[None]:
    """Leave no container behind when what is done here fails or is interrupted."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(docker.errors.APIError):
            container.stop()
        raise


def connect_engine() -> docker.DockerClient:
    """A client of the Docker engine; raises LaunchError when none answers."""
    try:
        return docker.from_env()
    except docker.errors.DockerException as error:
        raise LaunchError(
            "no Docker engine answers; start it, or use --launcher process, which needs none"
        ) from error


def is_engine_running() -> bool:
    """Whether a Docker engine answers."""
    try:
        connect_engine().close()
    except LaunchError:
        return False
    return True


def _find_host_address() -> str:
    """The address on which a server of this machine is reached as `host-gateway`.

    On Linux that is the bridge's own address; Docker Desktop forwards to the loopback.
    """
    if platform.system() != "Linux":
        return _LOOPBACK
    client = connect_engine()
    try:
        pools = client.networks.get("bridge").attrs["IPAM"]["Config"]
    finally:
        client.close()
    if not pools:
        raise LaunchError("Docker's network 'bridge' has no addresses; use --launcher process")
    return pools[0].get("Gateway") or str(next(ipaddress.ip_network(pools[0]["Subnet"]).hosts()))


def _read_published_ports(part: ContainerPart) -> dict[int, int]:
    """This machine's port for each slot; what has ended has none any more, and is said to have ended."""
    wrapped = part.container.get_wrapped_container()
    wrapped.reload()
    ports = {}
    for slot in range(EDGE_SLOTS):
        published = wrapped.ports.get(f"{_FIRST_EDGE_PORT + slot}/tcp")
        if not published:
            require_started(part)
            raise LaunchError(f"Docker did not publish the ports of {part.container.image}")
        ports[slot] = int(published[0]["HostPort"])
    return ports
