"""Nothing that is a key, or looks like one, stands in a plain environment variable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from aigateway_policy import Policy, UnresolvedError, is_literal, list_blocks, read_value

_SECRET_NAME = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$|^CLIENT_KEY_")
_KEYS = re.compile(
    r"\bsk-[A-Za-z0-9_-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[A-Za-z0-9_-]{10,}\.eyJ|AccountKey=|SharedAccessKey=|"
    # Azure OpenAI's keys: 32 hexadecimal digits, or 84 characters with a mark in them.
    r"(?<![0-9a-fA-F:])[0-9a-f]{32}(?![0-9a-f])|[A-Za-z0-9]{40,}JQQJ99[A-Za-z0-9]{20,}"
)


class PlainVariables(Policy):
    """Looks at every `env` block of every container."""

    def find_problems(self, conf: dict[str, list[Any]]) -> Iterator[str]:
        unresolved = False
        for template in list_blocks(conf, "template"):
            for kind in ("container", "init_container"):
                for container in list_blocks(template, kind):
                    for variable in list_blocks(container, "env"):
                        name, value = read_value(variable, "name"), read_value(variable, "value")
                        if value is None:
                            continue
                        if not is_literal(name, r"[A-Za-z_][A-Za-z0-9_]*"):
                            unresolved = True
                        elif _SECRET_NAME.search(name):
                            yield f"variable {name} is a secret by its name; must have secret_name, and no value"
                        elif _KEYS.search(str(value)):
                            yield f"variable {name} holds what looks like a key; must have secret_name, and no value"
        if unresolved:
            raise UnresolvedError


check = PlainVariables(
    "AIGATEWAY_PLAIN_VARIABLES",
    "No plain environment variable of a Container App holds a key",
    ("azurerm_container_app",),
)
