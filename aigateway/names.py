"""Names of the Azure resources of one environment: `pvc-{env}-{project}-{type}-{location}`.

Each type has a rule of its own, and the pattern breaks some of them: the name of a storage account takes no
hyphens, and that of a Key Vault is so short that `staging` and `prod` do not fit. So a name is the pattern's,
literally, where that is legal; else it has the environment as `dev`, `stg` or `prd`. It is never cut: that
would lose the location. A name that must be unique in all of Azure may be taken already, so those can be set.

Rules: learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules; where the azurerm
provider is stricter (Front Door), the provider's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aigateway.errors import SettingsError
from aigateway.settings.model import Settings
from aigateway.settings.problems import Key, Problem
from aigateway.settings.values import EnvironmentName

PREFIX = "pvc"
SHORT_ENVIRONMENTS: dict[EnvironmentName, str] = {"dev": "dev", "staging": "stg", "prod": "prd"}

_LONGEST_SHORT_NAME = 12


@dataclass(frozen=True)
class Rule:
    """What Azure takes as the name of one type, and the type's part in the pattern."""

    type: str
    code: str
    shortest: int
    longest: int
    pattern: str
    allowed: str
    hyphens: bool = True

    def complain(self, name: str) -> str:
        """What is wrong with a name, or nothing."""
        if not self.shortest <= len(name) <= self.longest:
            return (
                f"'{name}' has {len(name)} characters, and the name of a {self.type} has "
                f"{self.shortest} to {self.longest}"
            )
        if not re.fullmatch(self.pattern, name):
            return f"'{name}' is no name of a {self.type}, which has {self.allowed}"
        return ""


_WORDS = "letters, digits and hyphens, with a letter or digit at both ends"

RESOURCE_GROUP = Rule(
    "resource group",
    "rg",
    1,
    90,
    r"[A-Za-z0-9_().-]*[A-Za-z0-9_()-]",
    "letters, digits, '_', '-', '.' and parentheses",
)
LOG_ANALYTICS_WORKSPACE = Rule(
    "Log Analytics workspace", "law", 4, 63, r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]", _WORDS
)
CONTAINER_APP_ENVIRONMENT = Rule(
    "Container Apps environment", "cae", 2, 60, r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]", _WORDS
)
CONTAINER_APP = Rule(
    "Container App",
    "ca",
    2,
    32,
    r"[a-z](-?[a-z0-9])*",
    "lower-case letters, digits and single hyphens, and begins with a letter",
)
KEY_VAULT = Rule(
    "Key Vault",
    "kv",
    3,
    24,
    r"[A-Za-z](-?[A-Za-z0-9])*",
    "letters, digits and single hyphens, and begins with a letter",
)
STORAGE_ACCOUNT = Rule(
    "storage account", "st", 3, 24, r"[a-z0-9]+", "lower-case letters and digits only", hyphens=False
)
APPLICATION_INSIGHTS = Rule(
    "Application Insights resource", "ai", 1, 255, r"[A-Za-z0-9-]*[A-Za-z0-9]", "letters, digits and hyphens"
)
MANAGED_IDENTITY = Rule(
    "managed identity", "id", 3, 128, r"[A-Za-z0-9][A-Za-z0-9_-]*", "letters, digits, '_' and '-'"
)
ACTION_GROUP = Rule("action group", "ag", 1, 260, r"[A-Za-z0-9-]*[A-Za-z0-9]", "letters, digits and hyphens")
WORKBOOK = Rule("workbook", "wb", 1, 260, r"[A-Za-z0-9-]*[A-Za-z0-9]", "letters, digits and hyphens")
FRONT_DOOR_PROFILE = Rule("Front Door profile", "afd", 2, 90, r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]", _WORDS)
FRONT_DOOR_ENDPOINT = Rule(
    "Front Door endpoint", "fde", 2, 46, r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]", _WORDS
)
VIRTUAL_NETWORK = Rule(
    "virtual network",
    "vnet",
    2,
    64,
    r"[A-Za-z0-9][A-Za-z0-9_.-]*[A-Za-z0-9_]",
    "letters, digits, '_', '-' and '.'",
)
NETWORK_SECURITY_GROUP = Rule(
    "network security group",
    "nsg",
    1,
    80,
    r"[A-Za-z0-9][A-Za-z0-9_.-]*[A-Za-z0-9_]",
    "letters, digits, '_', '-' and '.'",
)
PRIVATE_ENDPOINT = Rule(
    "private endpoint",
    "pe",
    2,
    64,
    r"[A-Za-z0-9][A-Za-z0-9_.-]*[A-Za-z0-9_]",
    "letters, digits, '_', '-' and '.'",
)
WAF_POLICY = Rule(
    "Front Door WAF policy",
    "waf",
    1,
    128,
    r"[A-Za-z][A-Za-z0-9]*",
    "letters and digits only, and begins with a letter",
    hyphens=False,
)


class IllegalNameError(SettingsError):
    """No name that Azure takes can be made from the settings; `problem` says which setting to change."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True)
class Names:
    """The names of an environment's resources; each raises IllegalNameError where there is no legal one."""

    settings: Settings

    @property
    def resource_group(self) -> str:
        return self._compose(RESOURCE_GROUP)

    @property
    def log_analytics_workspace(self) -> str:
        return self._compose(LOG_ANALYTICS_WORKSPACE)

    @property
    def container_app_environment(self) -> str:
        return self._compose(CONTAINER_APP_ENVIRONMENT)

    @property
    def container_app(self) -> str:
        return self._choose(CONTAINER_APP, "container_app", self.settings.names.container_app)

    @property
    def key_vault(self) -> str:
        return self._choose(KEY_VAULT, "key_vault", self.settings.names.key_vault)

    @property
    def storage_account(self) -> str:
        """Of Terraform's state."""
        return self._choose(STORAGE_ACCOUNT, "storage_account", self.settings.names.storage_account)

    @property
    def application_insights(self) -> str:
        return self._compose(APPLICATION_INSIGHTS)

    @property
    def managed_identity(self) -> str:
        return self._compose(MANAGED_IDENTITY)

    @property
    def action_group(self) -> str:
        return self._compose(ACTION_GROUP)

    @property
    def action_group_short_name(self) -> str:
        """What an alert's subject begins with: `aigw-dev`. Its 12 characters have no room for a location."""
        environment = SHORT_ENVIRONMENTS[self.settings.environment]
        room = _LONGEST_SHORT_NAME - len(environment) - 1
        # Only shown, never looked up, so a long project's name may be cut here.
        project = self.settings.project.replace("gateway", "gw")[:room].rstrip("-")
        return f"{project}-{environment}"

    @property
    def workbook(self) -> str:
        """What the workbook is shown as; its resource name is a UUID."""
        return self._compose(WORKBOOK)

    @property
    def front_door_profile(self) -> str:
        return self._compose(FRONT_DOOR_PROFILE)

    @property
    def front_door_endpoint(self) -> str:
        """Azure adds a hash of its own, so it need not be unique."""
        return self._compose(FRONT_DOOR_ENDPOINT)

    @property
    def waf_policy(self) -> str:
        return self._compose(WAF_POLICY)

    @property
    def virtual_network(self) -> str:
        return self._compose(VIRTUAL_NETWORK)

    @property
    def network_security_group(self) -> str:
        return self._compose(NETWORK_SECURITY_GROUP)

    @property
    def private_endpoint(self) -> str:
        """Of the Key Vault."""
        return self._compose(PRIVATE_ENDPOINT)

    def to_dict(self) -> dict[str, str]:
        """All names by what they name."""
        return {name: getattr(self, name) for name in RESOURCES}

    def find_problems(self) -> Iterator[Problem]:
        """Every name that Azure would refuse."""
        for name in RESOURCES:
            try:
                getattr(self, name)
            except IllegalNameError as error:
                yield error.problem

    def _choose(self, rule: Rule, setting: str, override: str | None) -> str:
        """The name that the settings give, else the pattern's."""
        key: Key = ("names", setting)
        if override is None:
            return self._compose(rule, key)
        complaint = rule.complain(override)
        if complaint:
            raise IllegalNameError(Problem(complaint, (key,)))
        return override

    def _compose(self, rule: Rule, override: Key | None = None) -> str:
        environment = self.settings.environment
        literal = self._fill_pattern(rule, environment)
        short = self._fill_pattern(rule, SHORT_ENVIRONMENTS[environment])
        for name in (literal, short):
            if not rule.complain(name):
                return name
        excess = len(short) - rule.longest
        shorter = f"make project {excess} character{'' if excess == 1 else 's'} shorter"
        either = f", or set {'.'.join(map(str, override))}" if override else ""
        raise IllegalNameError(
            Problem(
                f"is '{self.settings.project}', with which {rule.complain(short)}; {shorter}{either}",
                (("project",),),
            )
        )

    def _fill_pattern(self, rule: Rule, environment: str) -> str:
        parts = (PREFIX, environment, self.settings.project, rule.code, self.settings.location.code)
        name = "-".join(parts)
        return name if rule.hyphens else name.replace("-", "")


RESOURCES = tuple(name for name, member in vars(Names).items() if isinstance(member, property))
