"""Secrets of a Container App stand in the Key Vault, and are read by an identity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aigateway_policy import Policy, list_blocks, read_value


class SecretReferences(Policy):
    """Looks at every `secret` block."""

    def find_problems(self, conf: dict[str, list[Any]]) -> Iterator[str]:
        for secret in list_blocks(conf, "secret"):
            name = read_value(secret, "name")
            if read_value(secret, "value") is not None:
                yield f"secret {name} has a value; must have key_vault_secret_id and identity in its place"
            for key in ("key_vault_secret_id", "identity"):
                # A plan leaves out what is known after the apply only, as the id of a new secret is.
                if not self._is_given(secret, key):
                    yield f"secret {name} has no {key}"

    def _is_given(self, secret: dict[str, Any], key: str) -> bool:
        return read_value(secret, key) is not None or (self.in_plan and key not in secret)


check = SecretReferences(
    "AIGATEWAY_SECRET_REFERENCES",
    "Secrets of a Container App are Key Vault references with an identity",
    ("azurerm_container_app",),
)
