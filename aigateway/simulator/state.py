"""Everything that one running simulator remembers, shared by its data plane and its control plane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aigateway.simulator.config import Quota, SimulatorConfig
from aigateway.simulator.defects import Defect
from aigateway.simulator.faults import FaultQueue, Operation
from aigateway.simulator.ledger import Ledger
from aigateway.simulator.quota import Meter
from aigateway.simulator.reasoning import ReasoningSeal
from aigateway.simulator.replies import ReplyQueue
from aigateway.simulator.store import ResponseStore


@dataclass
class SimulatorState:
    """One for each simulator; used from one event loop only, so nothing in it needs a lock.

    `refuse` closes the data listener for some seconds; the server sets it, a bare app has none."""

    config: SimulatorConfig
    seal: ReasoningSeal = field(init=False)
    meters: dict[str, Meter] = field(init=False)
    faults: FaultQueue = field(default_factory=FaultQueue)
    replies: ReplyQueue = field(default_factory=ReplyQueue)
    ledger: Ledger = field(default_factory=Ledger)
    store: ResponseStore = field(default_factory=ResponseStore)
    refuse: Callable[[float], Awaitable[None]] | None = None
    defect: Defect = field(default_factory=Defect)
    valid_keys: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.seal = ReasoningSeal(self.config.api_key)
        self.valid_keys = tuple(filter(None, (self.config.api_key, self.config.second_api_key)))
        self.limit(self.config.quota)

    def retire_key(self) -> None:
        """Refuse the first key from now on, as Azure does that has made another in its place."""
        self.valid_keys = self.valid_keys[1:]

    def limit(self, quota: Quota | None) -> None:
        """Start afresh with another quota; Azure has one for each deployment."""
        self.meters = {"responses": Meter(quota), "embeddings": Meter(quota)}

    def meter(self, operation: Operation) -> Meter:
        return self.meters["embeddings" if operation == "embeddings" else "responses"]

    def reset(self, marker: str | None) -> None:
        """Forget the faults, replies and records of one marker, or everything."""
        self.faults.clear(marker)
        self.replies.clear(marker)
        self.ledger.clear(marker)
        if marker is None:
            self.store.clear()
            self.limit(self.config.quota)
