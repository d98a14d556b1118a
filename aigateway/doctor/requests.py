"""What the doctor sends that may cost tokens: one request a check, known, and counted, before any is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aigateway.acceptance.budget import Budget, BudgetSpentError
from aigateway.acceptance.metering import estimate_most, read_usage
from aigateway.doctor.catalogue import CLIENT_REQUEST, EMBEDDINGS, INDEXING, RESPONSES, ROO_ERRORS
from aigateway.doctor.clients import CLIENTS, Client
from aigateway.doctor.question import Question

PROMPT = (
    "Reply with exactly: one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)

_STREAM_TOKENS = 400
_CLIENT_TOKENS = 200
#: As many as Roo's and Kilo's indexing sends at once.
BATCH = 60
# Nobody serves it, so that the request costs nothing.
_NO_MODEL = "doctor-asks-for-no-model"
# What Azure has worked on may have cost something, though an error came.
_TIMED_OUT = 408


@dataclass(frozen=True)
class Request:
    """A POST, and the most tokens that it can cost."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return json.dumps(self.body).encode()

    @property
    def most(self) -> int:
        """As the acceptance runs count: a token is at least a byte."""
        return estimate_most(self.path, self.content, 0)


def plan_requests(question: Question) -> dict[str, Request]:
    """The requests of a run, by the check that sends them, in the order of the checks."""
    expected = question.expected
    embedding = {"model": expected.embedding_model, "encoding_format": "base64"}
    stream = {"stream": True, "max_output_tokens": _STREAM_TOKENS, "store": False}
    planned = {
        RESPONSES.id: Request("/v1/responses", {"model": expected.model, "input": PROMPT, **stream}),
        EMBEDDINGS.id: Request("/v1/embeddings", {"input": ["test"], **embedding}),
    }
    if question.client:
        client = CLIENTS[question.client]
        if CLIENT_REQUEST in client.checks:
            planned[CLIENT_REQUEST.id] = _plan_for(client, question)
        if INDEXING in client.checks:
            planned[INDEXING.id] = _plan_batch(question, embedding)
        if ROO_ERRORS in client.checks and question.address.has_v1:
            body = {"model": _NO_MODEL, "input": "x", "max_output_tokens": 16, "store": False}
            planned[ROO_ERRORS.id] = Request("/v1/v1/responses", body)
    return planned


def _plan_for(client: Client, question: Question) -> Request:
    expected = question.expected
    if client.api == "chat completions":
        messages = [{"role": "user", "content": PROMPT}]
        limit = {"max_tokens": _CLIENT_TOKENS}
        return Request(
            "/v1/chat/completions",
            {"model": expected.model, "messages": messages, **client.fields, **limit},
            client.headers,
        )
    turn = [{"role": "user", "content": [{"type": "input_text", "text": PROMPT}]}]
    limit = {"max_output_tokens": _CLIENT_TOKENS}
    return Request(
        "/v1/responses", {"model": expected.model, "input": turn, **client.fields, **limit}, client.headers
    )


def _plan_batch(question: Question, embedding: Mapping[str, str]) -> Request:
    segments = [f"segment {number}" for number in range(BATCH)]
    return Request("/v1/embeddings", {"input": segments, **embedding}, {"api-key": question.key.value})


@dataclass
class Purse:
    """The token budget of a run, from which each request's most is taken before the run begins.

    `kept`: by check, what its request can cost; `refusals`: why a check's request is not going to be sent.
    """

    budget: Budget
    kept: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    _sent: set[str] = field(default_factory=set)
    _settled: set[str] = field(default_factory=set)

    def reserve(self, planned: Mapping[str, Request]) -> None:
        """Keep what each request can cost, in their order; what does not fit is not going to be sent."""
        for name, request in planned.items():
            try:
                self.budget.reserve(request.most, patience=0)
                self.kept[name] = request.most
            except BudgetSpentError:
                tally = self.budget.read()
                self.refusals[name] = (
                    f"it may cost {request.most:,} tokens, and of the budget of {tally.tokens:,} only "
                    f"{tally.tokens - tally.spent - tally.reserved:,} are left: give a larger --token-budget"
                )

    def send(self, name: str) -> None:
        """The request of this check is about to be sent."""
        self._sent.add(name)

    def settle(self, name: str, status: int = 0, answer: bytes = b"") -> None:
        """How it was answered; what the answer says that it cost counts, a refusal is free, else the most counts."""
        if name in self._settled:
            return
        self._settled.add(name)
        told = read_usage(answer)
        free = 300 <= status < 500 and status != _TIMED_OUT
        most = self.kept[name]
        self.budget.settle(most, told if told is not None else 0 if free else most)

    def finish(self) -> tuple[int, int]:
        """What the run can have cost at most, and what the answers say that it did."""
        for name in self._sent - self._settled:
            self.settle(name)
        return sum(self.kept[name] for name in self._sent), self.budget.read().spent
