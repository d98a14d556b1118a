"""How each part is started: the script of the deployment, and the environment that it reads.

The scripts stand in the Terraform module, which hands the same text to `/bin/sh -c`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from aigateway.launching.edits import Edit, apply_edits
from aigateway.launching.keys import GatewayKeys

PartName = Literal["litellm", "envoy"]

_SCRIPTS = Path("infra/modules/aigateway_aca/start")
_PLACEHOLDER = re.compile(r"\$\{([A-Z0-9_]+)\}")

#: Placeholders that say where to listen; the launcher knows them, everything else is a key.
ADDRESS_VARIABLES = frozenset({"EDGE_ADDRESS", "EDGE_PORT", "LITELLM_PORT"})


@dataclass(frozen=True)
class StartCommand:
    """One part's start: `sh -c script` with `environment`, which holds its config and its secrets."""

    part: PartName
    script: str
    environment: dict[str, str] = field(repr=False)

    @property
    def arguments(self) -> list[str]:
        """What to execute."""
        return ["/bin/sh", "-c", self.script]


def find_placeholders(envoy_config: str) -> tuple[str, ...]:
    """The environment variables that `envoy_config` names, in order, each once."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(envoy_config)))


def command_litellm(
    root: Path, config: str, endpoint: str, keys: GatewayKeys, edits: Sequence[Edit] = ()
) -> StartCommand:
    """Start LiteLLM with the rendered `config` in front of the Azure at `endpoint`."""
    return StartCommand(
        "litellm",
        apply_edits("litellm.sh", _read_script(root, "litellm"), edits),
        {
            "LITELLM_CONFIG": apply_edits("litellm.yaml", config, edits),
            "AZURE_OPENAI_ENDPOINT": endpoint,
            "AZURE_OPENAI_KEY": keys.azure,
            "LITELLM_MASTER_KEY": keys.master,
            "LITELLM_SALT_KEY": keys.salt,
        },
    )


def command_envoy(
    root: Path,
    config: str,
    keys: GatewayKeys,
    edits: Sequence[Edit] = (),
    grace_seconds: int | None = None,
) -> StartCommand:
    """Start Envoy with the rendered `config`; it is given the keys that the config names, and no other.

    When it is told to stop, it has `grace_seconds` for what is open, or as long as the script says.
    """
    config = apply_edits("envoy.yaml", config, edits)
    known = {**keys.clients, "LITELLM_MASTER_KEY": keys.master}
    return StartCommand(
        "envoy",
        apply_edits("envoy.sh", _read_script(root, "envoy"), edits),
        {
            "ENVOY_CONFIG": config,
            **{name: known[name] for name in find_placeholders(config) if name not in ADDRESS_VARIABLES},
            **({} if grace_seconds is None else {"TERMINATION_GRACE_SECONDS": str(grace_seconds)}),
        },
    )


def _read_script(root: Path, part: PartName) -> str:
    return (root / _SCRIPTS / f"{part}.sh").read_text(encoding="utf-8")
