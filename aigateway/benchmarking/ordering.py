"""From what a person wishes to an order that can be carried out; what does not go together is refused before anything
is started."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from aigateway.benchmarking.generator import join_generator
from aigateway.benchmarking.locust_bundle import ensure_locust
from aigateway.benchmarking.run import QUICK, Effort, Order
from aigateway.benchmarking.subjects import plan_subjects
from aigateway.benchmarking.variants import CATALOGUE, choose_variants
from aigateway.benchmarking.workloads import WORKLOADS
from aigateway.deployed.deployment import KEY_VARIABLE
from aigateway.errors import AigatewayError
from aigateway.settings.problems import suggest

_DOCUMENT = re.compile(r"[a-z0-9][a-z0-9-]*")
_ADDRESS = re.compile(r"[^\s/]+:\d{1,5}")


@dataclass(frozen=True)
class Wishes:
    """The options of the command line."""

    quick: bool = False
    vcpu: float | None = None
    variants: tuple[str, ...] = ()
    catalogue: Path | None = None
    only: tuple[str, ...] = ()
    rounds: int | None = None
    seconds: float | None = None
    requests: int | None = None
    workloads: tuple[str, ...] = ()
    users: tuple[int, ...] = ()
    starts: int | None = None
    base_url: str = ""
    token_budget: int = 1_000_000
    workers: int = 0
    listen: int = 0
    document: str = ""


def read_order(root: Path, environment: str, wishes: Wishes, arguments: Sequence[str]) -> Order:
    """The order that `wishes` come to. Raises AigatewayError where they contradict each other."""
    _require_sense(wishes)
    variants = choose_variants(wishes.variants, wishes.catalogue or CATALOGUE)
    names = [plan.name for plan in plan_subjects(variants)]
    for name in wishes.only:
        if name not in names:
            raise AigatewayError(
                f"--only {name}: there is nothing called so to compare{suggest(name, names)}; "
                f"there are {', '.join(names)}"
            )
    return Order(
        root=root,
        environment=environment,
        effort=_find_effort(wishes),
        quick=wishes.quick,
        variants=variants,
        vcpu=wishes.vcpu,
        base_url=wishes.base_url,
        token_budget=wishes.token_budget,
        workers=wishes.workers,
        listen=wishes.listen,
        only=wishes.only and (*wishes.only, *(one.variant for one in variants)),
        command=shlex.join(["aigateway", *arguments]),
    )


def _require_sense(wishes: Wishes) -> None:
    """Raises AigatewayError where two options contradict each other, or one has no meaning."""
    if wishes.base_url and (wishes.variants or wishes.vcpu or wishes.only or wishes.requests):
        raise AigatewayError(
            "a running gateway is measured from outside: --variant, --only, --vcpu and --requests need one that is "
            "started here; leave --base-url out, or them"
        )
    if wishes.listen and not wishes.workers:
        raise AigatewayError("--listen waits for workers on other machines; say how many with --workers")
    if wishes.listen and not wishes.base_url:
        raise AigatewayError(
            "what is started here listens on 127.0.0.1 alone, which other machines cannot reach; --listen needs "
            "--base-url"
        )
    if wishes.document and not _DOCUMENT.fullmatch(wishes.document):
        raise AigatewayError(f"{wishes.document!r} is no name of a document; take a-z, 0-9 and -")
    for workload in wishes.workloads:
        if workload not in WORKLOADS:
            raise AigatewayError(f"{workload!r} is no workload; take {', '.join(WORKLOADS)}")
    if "edgeless" in wishes.only and "gateway" not in wishes.only:
        raise AigatewayError("edgeless is the gateway's LiteLLM, called past its Envoy; add --only gateway")
    if wishes.catalogue and not wishes.variants:
        raise AigatewayError("--variants names a file of variants; say which of them with --variant, or all")


def _find_effort(wishes: Wishes) -> Effort:
    effort = QUICK if wishes.quick else Effort()
    if wishes.workloads:
        effort = replace(effort, workloads=tuple(name for name in WORKLOADS if name in wishes.workloads))
    if wishes.users:
        effort = replace(effort, concurrencies=tuple(sorted(set(wishes.users))))
    if wishes.starts:
        effort = replace(effort, starts=wishes.starts)
    if wishes.rounds:
        effort = replace(effort, rounds=wishes.rounds)
    if wishes.seconds:
        effort = replace(effort, seconds=wishes.seconds)
    if wishes.requests is not None:
        effort = replace(effort, requests=wishes.requests)
    return effort


def join_load(address: str, console: Console) -> int:
    """Send load for the bench at `address` until it ends. Raises AigatewayError where there is no key."""
    if not _ADDRESS.fullmatch(address):
        raise AigatewayError(f"--join {address}: must be HOST:PORT")
    key = os.environ.get(KEY_VARIABLE, "")
    if not key:
        raise AigatewayError(f"a running gateway asks for a key: put a client's into {KEY_VARIABLE}")
    locust = ensure_locust(console)
    console.print(
        f"sends load for the bench at {address}, as soon as it is there: aigateway bench --listen PORT --workers N "
        "--base-url URL; Ctrl-C ends it",
        markup=False,
        highlight=False,
    )
    return join_generator(locust, address, {"client": key})
