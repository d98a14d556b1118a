"""A category that is not asked for is not logged, and nothing says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from aigateway_policy import Policy, UnresolvedError, is_literal, list_blocks, read_value

#: What names an environment: the address of one that is still to be made, and the id of one that is there.
_TARGET = re.compile(
    r"azurerm_container_app_environment|/providers/Microsoft\.App/managedEnvironments/", re.IGNORECASE
)
_WANTED = {"ContainerAppConsoleLogs", "ContainerAppHTTPLogs", "ContainerAppSystemLogs"}


class DiagnosticCategories(Policy):
    """Looks at the diagnostic setting of a Container Apps environment."""

    def find_problems(self, conf: dict[str, list[Any]]) -> Iterator[str]:
        if not _TARGET.search(str(read_value(conf, "target_resource_id"))):
            raise UnresolvedError
        found = [read_value(log, "category") for log in list_blocks(conf, "enabled_log")]
        if not all(is_literal(category, "[A-Za-z]+") for category in found):
            raise UnresolvedError
        if missing := sorted(_WANTED.difference(found)):
            yield f"enabled_log has no {', no '.join(missing)}"


check = DiagnosticCategories(
    "AIGATEWAY_DIAGNOSTIC_CATEGORIES",
    "A Container Apps environment sends its console, HTTP and system logs",
    ("azurerm_monitor_diagnostic_setting",),
)
