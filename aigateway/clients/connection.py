"""`aigateway clients`: what points clients at an environment's gateway, if a run vouches for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from aigateway.acceptance.results import TargetName
from aigateway.clients import CLIENTS, Client
from aigateway.clients.catalogue import find_obstacle
from aigateway.clients.kit import Gateway, Kit, make_kit
from aigateway.clients.proof import find_proof
from aigateway.errors import AigatewayError
from aigateway.settings.model import Settings
from aigateway.settings.values import EnvironmentName


class Connection(BaseModel):
    """What points clients at one gateway. It holds no key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: EnvironmentName
    base_url: str = Field(description="without /v1")
    target: TargetName = Field(description="what was tried: the gateway of a local run, or the deployed one")
    proven_at: AwareDatetime = Field(description="when that run began")
    key_variable: str = Field(description="the environment variable that files refer to")
    kits: tuple[Kit, ...]
    obstacles: dict[Client, str] = Field(description="the clients that cannot be pointed at it, and why")

    def render_files(self) -> str:
        """The files' text: bare where it is one, so that it can be sent into a file; else each under its name."""
        files = [(kit.client, file) for kit in self.kits for file in kit.files]
        if len(files) == 1:
            return files[0][1].text
        return "\n".join(f"── {client}/{file.name}\n{file.text}" for client, file in files)

    def render_guides(self) -> str:
        """What to do with the files, and what is to be known."""
        return "\n\n".join(self._list_guides())

    def _list_guides(self) -> Iterator[str]:
        for kit in self.kits:
            yield f"── {kit.title}\n{kit.guide}\n\n{kit.key}"
        for client, why in self.obstacles.items():
            yield f"── not {client}: {why}"
        yield (
            f"{self.environment} at {self.base_url}: the {self.target} gateway conformed "
            f"on {self.proven_at:%Y-%m-%d at %H:%M} UTC; no key is in the files"
        )


def connect(root: Path, settings: Settings, client: Client | None = None, base_url: str = "") -> Connection:
    """What points `client`, or all of them, at the environment's gateway.

    Raises AigatewayError when no run vouches for the gateway, or the one client cannot work with it.
    """
    proof = find_proof(root, settings, base_url)
    gateway = Gateway(settings, proof.base_url)
    asked = (client,) if client else CLIENTS
    obstacles = {name: why for name in asked if (why := find_obstacle(name, settings))}
    if client and obstacles:
        raise AigatewayError(obstacles[client])
    return Connection(
        environment=settings.environment,
        base_url=proof.base_url,
        target=proof.target,
        proven_at=proof.started_at,
        key_variable=gateway.key_variable,
        kits=tuple(make_kit(root, gateway, name) for name in asked if name not in obstacles),
        obstacles=obstacles,
    )
