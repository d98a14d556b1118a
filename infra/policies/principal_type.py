"""Without it Azure asks the directory for an identity that it may not know yet, and the first apply fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aigateway_policy import Policy, read_value


class PrincipalType(Policy):
    """Looks at role assignments."""

    def find_problems(self, conf: dict[str, list[Any]]) -> Iterator[str]:
        if read_value(conf, "principal_type") not in {"ServicePrincipal", "User", "Group"}:
            yield "principal_type is not set; must be ServicePrincipal for an identity, else User or Group"


check = PrincipalType(
    "AIGATEWAY_PRINCIPAL_TYPE", "Role assignments say their principal_type", ("azurerm_role_assignment",)
)
