"""The secrets of one run on this machine, made anew each time."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from aigateway.settings.model import Client, Settings
from aigateway.settings.values import KeySlot

SLOTS: tuple[KeySlot, ...] = ("a", "b")


class GatewayKeys(BaseModel):
    """Each secret that the gateway knows; `clients` holds the clients' keys by environment variable.

    Like a Key Vault, it holds a key for both slots of each client; the rendered config says which are valid.
    """

    model_config = ConfigDict(frozen=True)

    azure: str = Field(repr=False)
    master: str = Field(repr=False)
    salt: str = Field(repr=False)
    clients: Mapping[str, str] = Field(repr=False)

    def of(self, client: Client, slot: KeySlot | None = None) -> str:
        """The key of `client` in `slot`, by default in its first valid one."""
        return self.clients[client.key_variable(slot or client.keys[0])]

    def cover(self, settings: Settings) -> GatewayKeys:
        """These keys, and new ones for the clients of `settings` that have none yet."""
        return self.model_copy(update={"clients": {**_generate_client_keys(settings), **self.clients}})


def generate_keys(settings: Settings) -> GatewayKeys:
    """Fresh random keys for every client of `settings`, for LiteLLM and for the simulated Azure."""
    return GatewayKeys(
        azure=secrets.token_hex(16),
        master=f"sk-{secrets.token_urlsafe(32)}",
        salt=f"sk-{secrets.token_urlsafe(32)}",
        clients=_generate_client_keys(settings),
    )


def _generate_client_keys(settings: Settings) -> dict[str, str]:
    return {
        client.key_variable(slot): f"sk-{secrets.token_urlsafe(32)}"
        for client in settings.clients
        for slot in SLOTS
    }
