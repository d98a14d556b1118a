"""Access policies give whoever may change the vault the right to read it; roles do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aigateway_policy import Policy, list_blocks, read_value


class VaultRoles(Policy):
    """Looks at the vault."""

    def find_problems(self, conf: dict[str, list[Any]]) -> Iterator[str]:
        if read_value(conf, "rbac_authorization_enabled") is not True:
            yield "rbac_authorization_enabled is not true"
        if list_blocks(conf, "access_policy"):
            yield "access_policy gives rights beside the roles; must be a role assignment"


check = VaultRoles("AIGATEWAY_VAULT_ROLES", "A Key Vault is read by role", ("azurerm_key_vault",))
