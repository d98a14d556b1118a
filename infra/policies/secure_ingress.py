"""Keys travel in headers: nobody may come without TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aigateway_policy import Policy, list_blocks, read_value


class SecureIngress(Policy):
    """Looks at the `ingress` block."""

    def find_problems(self, conf: dict[str, list[Any]]) -> Iterator[str]:
        for ingress in list_blocks(conf, "ingress"):
            insecure = read_value(ingress, "allow_insecure_connections")
            if insecure is not None and insecure is not False:
                yield f"ingress.allow_insecure_connections is {insecure}; must be false"
            transport = read_value(ingress, "transport")
            if transport not in {None, "auto", "http", "http2"}:
                yield f"ingress.transport is {transport}, which has no TLS of Azure's; must be http"


check = SecureIngress(
    "AIGATEWAY_SECURE_INGRESS",
    "A Container App is reached by HTTPS only",
    ("azurerm_container_app",),
)
