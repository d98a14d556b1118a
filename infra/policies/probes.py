"""Without probes of our own, Azure takes a gateway for ready as soon as its port is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aigateway_policy import Policy, list_blocks, read_value


class Probes(Policy):
    """Looks at every container: it starts and lives by a probe, and one of them says when the replica is ready."""

    def find_problems(self, conf: dict[str, list[Any]]) -> Iterator[str]:
        for template in list_blocks(conf, "template"):
            containers = list_blocks(template, "container")
            for container in containers:
                for probe in ("startup_probe", "liveness_probe"):
                    if not list_blocks(container, probe):
                        yield f"container {read_value(container, 'name')} has no {probe}"
            if not any(list_blocks(container, "readiness_probe") for container in containers):
                yield "no container has a readiness_probe"


check = Probes("AIGATEWAY_PROBES", "Containers have probes", ("azurerm_container_app",))
