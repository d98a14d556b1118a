"""The tags that a scenario can have, and what each says of it."""

from __future__ import annotations

import re

from aigateway.acceptance.profiles import CLIENT_PROFILES, SLOW
from aigateway.acceptance.requirements import REQUIREMENTS
from aigateway.errors import AigatewayError
from aigateway.settings.problems import suggest

#: Such a gateway takes ten seconds to start, and then serves all scenarios of a process that need it.
ANOTHER_GATEWAY = "another-gateway"

TAGS = {
    "local": "can run against a gateway on this machine, with a simulated Azure behind it",
    "deployed": "can run against a deployed gateway too, as a black box",
    "costs-tokens": "costs tokens where a real model answers",
    SLOW: "takes long, and is no part of the core profile",
    ANOTHER_GATEWAY: "needs a gateway beside the run's own",
    **{str(name): f"is part of the profile {name}" for name in CLIENT_PROFILES},
    **{requirement.id: requirement.statement for requirement in REQUIREMENTS},
}

_OPERATORS = {"and", "or", "not"}


def require_tags(expression: str) -> None:
    """Raises AigatewayError when a choice of scenarios by their tags has a word that is no tag: it chooses nothing."""
    for word in re.findall(r"[^\s()]+", expression):
        if word not in TAGS and word not in _OPERATORS:
            raise AigatewayError(
                f"there is no tag {word!r}{suggest(word, TAGS)} (there are {', '.join(TAGS)})"
            )
