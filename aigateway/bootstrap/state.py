"""Where Terraform keeps its state: a storage account that only identities reach, and that nobody deletes by mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import Field

from aigateway.bootstrap.steps import Change, ConflictError, Step
from aigateway.bootstrap.target import CONTAINER, Target
from aigateway.commands import Shape, ask
from aigateway.settings.model import Settings

LOCK = "nodelete"
RETENTION_DAYS = 30

_RIGHT = "the role Contributor on the subscription"
_LOCK_RIGHT = "the role Owner or User Access Administrator on the subscription"

_PROVIDERS = (
    "Microsoft.App",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
)


class _Provider(Shape):
    namespace: str
    registration_state: str


class _Group(Shape):
    name: str
    location: str


class _Account(Shape):
    name: str
    resource_group: str
    location: str
    kind: str
    # Azure leaves out what was never set, and then each is its most permissive.
    allow_shared_key_access: bool | None = None
    minimum_tls_version: str | None = None
    https_only: bool | None = Field(default=None, alias="enableHttpsTrafficOnly")
    allow_blob_public_access: bool | None = None
    allow_cross_tenant_replication: bool | None = None


class _Availability(Shape):
    name_available: bool
    reason: str | None = None


class _Retention(Shape):
    enabled: bool | None = None
    days: int | None = None

    @property
    def holds(self) -> bool:
        return bool(self.enabled) and (self.days or 0) >= RETENTION_DAYS


class _Blobs(Shape):
    name: str
    is_versioning_enabled: bool | None = None
    delete_retention_policy: _Retention | None = None
    container_delete_retention_policy: _Retention | None = None


class _Existence(Shape):
    exists: bool


class _Lock(Shape):
    name: str
    level: str


#: What an account has to be: each property, what it must be, how `az` sets it, and what is wrong otherwise.
_HARDENING: tuple[tuple[str, bool | str, tuple[str, str], str], ...] = (
    ("allow_shared_key_access", False, ("--allow-shared-key-access", "false"), "takes shared keys"),
    ("minimum_tls_version", "TLS1_2", ("--min-tls-version", "TLS1_2"), "takes TLS older than 1.2"),
    ("https_only", True, ("--https-only", "true"), "takes plain HTTP"),
    ("allow_blob_public_access", False, ("--allow-blob-public-access", "false"), "can be made public"),
    (
        "allow_cross_tenant_replication",
        False,
        ("--allow-cross-tenant-replication", "false"),
        "can be copied to other tenants",
    ),
)
_STRONGER_TLS = {"TLS1_3"}


def list_providers(settings: Settings) -> tuple[str, ...]:
    """The resource providers that Terraform needs registered for these settings."""
    optional = (
        (settings.observability.monthly_budget is not None, "Microsoft.Consumption"),
        (settings.front_door.enabled, "Microsoft.Cdn"),
        # The firewall of Front Door is one of its resources.
        (settings.front_door.enabled or settings.network.enabled, "Microsoft.Network"),
    )
    return tuple(sorted((*_PROVIDERS, *(name for wanted, name in optional if wanted))))


def list_state_steps(target: Target) -> tuple[Step, ...]:
    """From the resource providers to the lock."""
    state = _State(target)
    group, account = target.state_group, target.state_account
    return (
        Step(f"resource providers {', '.join(list_providers(target.settings))}", state.inspect_providers),
        Step(f"resource group {group}", state.inspect_group),
        Step(f"storage account {account}", state.inspect_account),
        Step(f"versions and soft delete of {account}", state.inspect_blobs),
        Step(f"container {CONTAINER} of {account}", state.inspect_container),
        Step(f"lock {LOCK} of {group}", state.inspect_lock),
    )


@dataclass
class _State:
    target: Target
    made: set[str] = field(default_factory=set)
    """What this run made: a plan makes nothing, so what would be in it is not asked for."""

    def inspect_providers(self) -> Sequence[Change]:
        answer: list[_Provider] = ask(self.target.az("provider", "list"), list[_Provider])
        registered = {one.namespace.lower() for one in answer if one.registration_state == "Registered"}
        return [
            Change(
                f"resource provider {name}",
                self.target.az("provider", "register", "--namespace", name, "--wait", right=_RIGHT),
            )
            for name in list_providers(self.target.settings)
            if name.lower() not in registered
        ]

    def inspect_group(self) -> Sequence[Change]:
        # Before anything is made: without the account, the group is for nothing.
        if self._account is None:
            self._require_free_name()
        target, group = self.target, self._group
        if group is None:
            return [
                Change(
                    f"resource group {target.state_group}",
                    target.az(
                        "group",
                        "create",
                        "--name",
                        target.state_group,
                        "--location",
                        target.location,
                        *self._tags,
                        right=_RIGHT,
                    ),
                    learn=lambda _said: self.made.add("group"),
                )
            ]
        if _fold(group.location) != target.location:
            raise ConflictError(
                f"the resource group {group.name} is in {group.location}, and the settings say {target.location}; "
                f"if it is not needed: az group delete --name {group.name}"
            )
        return []

    def inspect_account(self) -> Sequence[Change]:
        target, account = self.target, self._account
        hardening = [word for _, _, option, _ in _HARDENING for word in option]
        place = ("--name", target.state_account, "--resource-group", target.state_group)
        if account is None:
            return [
                Change(
                    f"storage account {target.state_account}",
                    target.az(
                        *("storage", "account", "create", *place, "--location", target.location),
                        *("--kind", "StorageV2", "--sku", "Standard_GRS", *hardening, *self._tags),
                        right=_RIGHT,
                    ),
                    learn=lambda _said: self.made.add("account"),
                )
            ]
        self._require_ours(account)
        wrong = [
            (option, why)
            for name, wanted, option, why in _HARDENING
            if getattr(account, name) != wanted and getattr(account, name) not in _STRONGER_TLS
        ]
        if not wrong:
            return []
        options = [word for option, _ in wrong for word in option]
        return [
            Change(
                f"storage account {account.name}: {', '.join(why for _, why in wrong)}",
                target.az("storage", "account", "update", *place, *options, right=_RIGHT),
                differs=True,
            )
        ]

    def inspect_blobs(self) -> Sequence[Change]:
        target = self.target
        what = f"versions and soft delete of {target.state_account}"
        place = ("--account-name", target.state_account, "--resource-group", target.state_group)
        service = ("storage", "account", "blob-service-properties")
        days = str(RETENTION_DAYS)
        change = Change(
            f"{what} ({days} days)",
            target.az(
                *(*service, "update", *place, "--enable-versioning", "true"),
                *("--enable-delete-retention", "true", "--delete-retention-days", days),
                *("--enable-container-delete-retention", "true", "--container-delete-retention-days", days),
                right=_RIGHT,
            ),
            differs=self._has_account,
        )
        if not self._has_account:
            return [change]
        blobs: _Blobs = ask(target.az(*service, "show", *place), _Blobs)
        policies = (blobs.delete_retention_policy, blobs.container_delete_retention_policy)
        kept = blobs.is_versioning_enabled and all(policy and policy.holds for policy in policies)
        return [] if kept else [change]

    def inspect_container(self) -> Sequence[Change]:
        target = self.target
        account = ("--storage-account", target.state_account, "--resource-group", target.state_group)
        place = ("--name", CONTAINER, *account)
        if self._has_account:
            answer: _Existence = ask(target.az("storage", "container-rm", "exists", *place), _Existence)
            if answer.exists:
                return []
        create = target.az("storage", "container-rm", "create", *place, right=_RIGHT)
        return [Change(f"container {CONTAINER} of {target.state_account}", create)]

    def inspect_lock(self) -> Sequence[Change]:
        target = self.target
        if self._group is not None or "group" in self.made:
            answer: list[_Lock] = ask(
                target.az("lock", "list", "--resource-group", target.state_group), list[_Lock]
            )
            if any(lock.name == LOCK and lock.level == "CanNotDelete" for lock in answer):
                return []
        create = ("lock", "create", "--name", LOCK, "--resource-group", target.state_group)
        return [
            Change(
                f"lock {LOCK} of {target.state_group}",
                target.az(*create, "--lock-type", "CanNotDelete", right=_LOCK_RIGHT),
            )
        ]

    @property
    def _tags(self) -> tuple[str, ...]:
        return ("--tags", *(f"{name}={value}" for name, value in self.target.tags.items()))

    @cached_property
    def _group(self) -> _Group | None:
        answer: list[_Group] = ask(self.target.az("group", "list"), list[_Group])
        wanted = self.target.state_group.lower()
        return next((group for group in answer if group.name.lower() == wanted), None)

    @cached_property
    def _account(self) -> _Account | None:
        """As it was found; what is made later is as it has to be."""
        answer: list[_Account] = ask(self.target.az("storage", "account", "list"), list[_Account])
        return next((account for account in answer if account.name == self.target.state_account), None)

    @property
    def _has_account(self) -> bool:
        return self._account is not None or "account" in self.made

    def _require_free_name(self) -> None:
        name = self.target.state_account
        answer: _Availability = ask(
            self.target.az("storage", "account", "check-name", "--name", name), _Availability
        )
        if not answer.name_available:
            raise ConflictError(
                f"the storage account name {name} is taken, by somebody else's subscription or one that "
                f"az is not logged in to ({answer.reason}); {self._choose_another}"
            )

    def _require_ours(self, account: _Account) -> None:
        if account.resource_group.lower() != self.target.state_group.lower():
            raise ConflictError(
                f"the storage account {account.name} is in the resource group {account.resource_group}, not in "
                f"{self.target.state_group}, and may be for something else; {self._choose_another}"
            )
        if account.kind != "StorageV2" or _fold(account.location) != self.target.location:
            raise ConflictError(
                f"the storage account {account.name} is a {account.kind} in {account.location}, and has to be a "
                f"StorageV2 in {self.target.location}, which cannot be changed; {self._choose_another}"
            )

    @property
    def _choose_another(self) -> str:
        return (
            f"set names.storage_account in infra/env/{self.target.environment}/gateway.yaml, "
            "then run: aigateway render"
        )


def _fold(location: str) -> str:
    """A location's name as the settings have it: `South Africa North` is southafricanorth."""
    return location.replace(" ", "").lower()
