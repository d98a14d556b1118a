"""The client of the control plane: what the steps hold in their hands.

Cheap to make and picklable (it is an address), so each process of a parallel run has its own.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from aigateway.errors import SimulatorError
from aigateway.simulator.config import QUOTA_JSON, Quota
from aigateway.simulator.faults import FAULT_JSON, Fault, Operation, Refused
from aigateway.simulator.ledger import RECORDS_JSON, RecordedRequest
from aigateway.simulator.replies import REPLY_JSON, Reply

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class SimulatorControl:
    """Scripts and questions one simulator. Every method raises `SimulatorError` when it cannot be reached.

    A `marker` is any string that the scenario puts into its prompts: what is scripted or asked with it
    concerns only requests whose body, or the bodies of the turns before it, contain it."""

    control_url: str

    def inject(self, fault: Fault, *, marker: str | None = None) -> None:
        """Script a fault. `Refused` is for everybody and is in force when this returns."""
        if isinstance(fault, Refused) and marker is not None:
            raise SimulatorError(
                "A refused connection has no body, so it cannot be for one marker: inject Refused without "
                "one."
            )
        self._post("/faults", {"fault": FAULT_JSON.dump_python(fault, mode="json"), "marker": marker})

    def reply_with(self, reply: Reply, *, marker: str | None = None) -> None:
        """Script the answer to the next request."""
        self._post("/replies", {"reply": REPLY_JSON.dump_python(reply, mode="json"), "marker": marker})

    def limit(self, quota: Quota | None) -> None:
        """Give each deployment another quota, unused; None: no limit."""
        self._post("/quota", {"quota": QUOTA_JSON.dump_python(quota, mode="json")})

    def break_with(self, defect: str | None) -> None:
        """Answer everybody wrongly from now on, as the defect of this name says; None: rightly again."""
        self._post("/defect", {"name": defect})

    def retire_key(self) -> None:
        """Refuse the first of Azure's keys from now on: another was made in its place."""
        self._post("/retired-key", {})

    def requests(
        self, *, marker: str | None = None, operation: Operation | None = None
    ) -> list[RecordedRequest]:
        """What was received, in order of arrival, refused and unfinished requests too."""
        answer = self._call(
            "GET", "/requests", params=_without_none({"marker": marker, "operation": operation})
        )
        return RECORDS_JSON.validate_json(answer.content)

    def peak_parallel(self, operation: Operation | None = None) -> int:
        """The most requests that were open at once since the last full reset."""
        answer = self._call("GET", "/peak", params=_without_none({"operation": operation}))
        return int(answer.json()["peak"])

    def tally(self, operation: Operation) -> dict[int, int]:
        """How many requests of an operation were answered with each status since the last full reset.

        Unlike `requests`, it forgets none, however many there were."""
        answer = self._call("GET", "/tally", params={"operation": operation})
        return {int(status): count for status, count in answer.json().items()}

    def reset(self, marker: str | None = None) -> None:
        """Forget the faults, replies and records of one marker; without one, everything that is
        remembered."""
        self._post("/reset", {"marker": marker})

    def _post(self, path: str, body: dict[str, Any]) -> None:
        self._call("POST", path, json=body)

    def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = _client().request(method, self.control_url + path, **request)
        except httpx.HTTPError as error:
            raise SimulatorError(
                f"The simulator's control plane at {self.control_url} cannot be reached ({error}). Is "
                "`aigateway sim` still running?"
            ) from error
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise SimulatorError(f"The simulator refused {method} {path}: {answer.text}")
        return answer


@cache
def _client() -> httpx.Client:
    """One for the process: it is safe for threads, and making one costs more than a request.

    The control plane is plain HTTP on this machine: no proxy, and no certificates worth loading."""
    return httpx.Client(
        timeout=_TIMEOUT_SECONDS, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )


def _without_none(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
