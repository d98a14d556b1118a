"""The secrets of one run."""

from __future__ import annotations

from aigateway.launching.keys import SLOTS, generate_keys
from aigateway.settings.model import Client, Settings


def make(*names: str) -> Settings:
    return Settings(environment="dev", clients=tuple(Client(name=name) for name in names))


def test_every_secret_differs_from_run_to_run() -> None:
    one, other = (generate_keys(make("roo", "qoder")) for _ in range(2))
    secrets = [
        secret
        for keys in (one, other)
        for secret in (keys.azure, keys.master, keys.salt, *keys.clients.values())
    ]
    assert len(set(secrets)) == len(secrets) == 2 * (3 + 2 * len(SLOTS))


def test_keys_that_cover_further_clients_keep_the_others() -> None:
    keys = generate_keys(make("roo"))
    covering = keys.cover(make("roo", "qoder"))
    assert {name: covering.clients[name] for name in keys.clients} == keys.clients
    assert set(covering.clients) - set(keys.clients) == {"CLIENT_KEY_QODER_A", "CLIENT_KEY_QODER_B"}
    assert (covering.azure, covering.master, covering.salt) == (keys.azure, keys.master, keys.salt)
