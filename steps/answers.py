"""What came back: the outcome of one request, and what every client expects of an answer or a refusal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import openai
import pytest
from pytest_bdd import parsers, then

from aigateway.acceptance.recording import Response
from aigateway.launching.stack import HEALTH_PATH
from aigateway.simulator.embeddings import embed
from steps.answer_streams import StreamFailedError
from steps.gateway import Gateway, connect_http

Event = TypeVar("Event")

#: What a busy machine may take longer than a free one; a request's wait for its turn is part of it.
BUSY_SECONDS = 9.0


@dataclass(frozen=True)
class Outcome:
    """How one request ended: `text` is what the model said or all of a refusal, `body` the refusal's JSON.

    `seconds` is how long it took. `broken` says why an answer that had begun did not come to its end.
    """

    status: int
    seconds: float
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    broken: str = ""


def attempt(ask: Callable[[], str]) -> Outcome:
    """Do `ask`, which uses OpenAI's client and returns what the model said, and catch the error if there is one.

    No answer at all, and one that does not go on, are no outcome: they go on as the errors that they are.
    """
    started = time.monotonic()
    try:
        text = ask()
    except openai.APIStatusError as refusal:
        return describe(refusal.response, time.monotonic() - started)
    except openai.APIConnectionError:
        raise
    except (StreamFailedError, openai.APIError) as error:
        return Outcome(200, time.monotonic() - started, broken=f"{type(error).__name__}: {error}")
    return Outcome(200, time.monotonic() - started, text=text)


def describe(answer: Response, seconds: float = 0.0) -> Outcome:
    """The outcome of a request that came to an answer or a refusal."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Outcome(
        answer.status_code, seconds, text=answer.text, headers=headers, body=_read_body(answer.text)
    )


def _read_body(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def ask_for_answer(gateway: Gateway, marker: str) -> str:
    """A plain question to the Responses API."""
    response = gateway.connect().responses.create(
        model=gateway.settings.azure.responses.model, input=f"Reply with exactly: {marker}"
    )
    return response.output_text


def ask_for_streamed_answer(gateway: Gateway, marker: str) -> str:
    """A streamed question to the Responses API; returns the final answer."""
    stream = gateway.connect().responses.create(
        model=gateway.settings.azure.responses.model, input=f"Reply with exactly: {marker}", stream=True
    )
    finals: list[str] = []
    for event in _follow(stream):
        if event.type == "response.failed":
            raise StreamFailedError(event.model_dump()["response"]["error"])
        if event.type == "response.completed":
            finals.append(event.response.output_text)
    assert len(finals) == 1, f"the stream ended like a whole one, with {len(finals)} response.completed"
    return finals[0]


def _follow(stream: Iterable[Event]) -> Iterator[Event]:
    """The events of a stream; when its connection breaks, the stream has failed."""
    try:
        yield from stream
    except openai.APITimeoutError:
        raise
    except openai.APIConnectionError as error:
        raise StreamFailedError({"message": f"the connection broke: {error.__cause__!r}"}) from error


def ask_for_chat_completion(gateway: Gateway, marker: str) -> str:
    """A question by a client that speaks chat completions."""
    completion = gateway.connect().chat.completions.create(
        model=gateway.settings.azure.responses.model,
        messages=[{"role": "user", "content": f"Reply with exactly: {marker}"}],
    )
    return completion.choices[0].message.content or ""


def ask_for_streamed_chat_completion(gateway: Gateway, marker: str) -> str:
    """A streamed question by a client that speaks chat completions; returns the pieces put together."""
    stream = gateway.connect().chat.completions.create(
        model=gateway.settings.azure.responses.model,
        messages=[{"role": "user", "content": f"Reply with exactly: {marker}"}],
        stream=True,
    )
    choices = [choice for chunk in _follow(stream) for choice in chunk.choices]
    finishes = [choice.finish_reason for choice in choices if choice.finish_reason]
    assert finishes == ["stop"], f"the stream ended like a whole one, with the finish reasons {finishes}"
    return "".join(choice.delta.content or "" for choice in choices)


def ask_for_embeddings(gateway: Gateway, marker: str) -> str:
    """One vector; returns the marker when it has the configured dimensions and is, where the simulated Azure made it,
    the text's own."""
    settings = gateway.settings.azure.embeddings
    text = f"def {marker}(): pass"
    answer = gateway.connect().embeddings.create(model=settings.model, input=[text])
    vector = answer.data[0].embedding
    if len(vector) != settings.dimensions:
        return "a vector of another length"
    # Only on this machine are all keys known, and there stands the simulated Azure.
    if gateway.keys and vector != embed(text, settings.dimensions).tolist():
        return "another text's vector"
    return marker


def probe_health(gateway: Gateway) -> Outcome:
    """Ask as the platform's probes do, without a key."""
    started = time.monotonic()
    answer = connect_http().get(f"{gateway.base_url}{HEALTH_PATH}")
    return describe(answer, time.monotonic() - started)


#: What a client can ask for, by the name that the features use; each returns text that holds the marker.
OPERATIONS: Mapping[str, Callable[[Gateway, str], str]] = {
    "an answer": ask_for_answer,
    "responses": ask_for_answer,
    "a streamed answer": ask_for_streamed_answer,
    "streamed responses": ask_for_streamed_answer,
    "a chat completion": ask_for_chat_completion,
    "chat completions": ask_for_chat_completion,
    "a streamed chat completion": ask_for_streamed_chat_completion,
    "streamed chat completions": ask_for_streamed_chat_completion,
    "embeddings": ask_for_embeddings,
}


def assert_openai_error(outcome: Outcome) -> None:
    """The refusal has OpenAI's error shape, and tells nothing of what is inside the gateway."""
    assert isinstance(outcome.body, dict), f"not a JSON object: {outcome.body!r:.300}"
    error = outcome.body.get("error")
    assert isinstance(error, dict), f"no error object in {outcome.body!r:.300}"
    assert isinstance(error.get("message"), str)
    assert error["message"], "an empty message"
    assert isinstance(error.get("type"), str)
    assert "param" in error
    assert isinstance(error.get("code"), str | None)
    assert "Traceback" not in error["message"]


def read_retry_after(outcome: Outcome) -> float:
    """Seconds that the refusal asks to wait; a refusal that does not say fails the step."""
    value = outcome.headers.get("retry-after")
    assert value is not None, f"no Retry-After in {sorted(outcome.headers)}"
    assert value.isdecimal(), f"Retry-After is {value!r}, not whole seconds"
    return float(value)


@then("the assistant gets its answer")
def _(outcome: Outcome, marker: str) -> None:
    assert outcome.status == 200, f"status {outcome.status}: {outcome.body!r:.300}"
    assert not outcome.broken, f"the answer did not come to its end: {outcome.broken:.300}"
    assert marker in outcome.text


@then("the request is served")
def _(outcome: Outcome) -> None:
    assert outcome.status == 200, f"status {outcome.status}: {outcome.body!r:.300}"


@then(parsers.parse("the request is refused with status {status:d} in OpenAI's error shape"))
@then(parsers.parse("the assistant is told {status:d} in OpenAI's error shape"))
def _(outcome: Outcome, status: int) -> None:
    assert outcome.status == status, f"status {outcome.status}: {outcome.body or outcome.text!r:.300}"
    assert_openai_error(outcome)


@then("the request is refused with a 4xx in OpenAI's error shape")
def _(outcome: Outcome) -> None:
    assert 400 <= outcome.status < 500, f"status {outcome.status}"
    assert_openai_error(outcome)


@then(parsers.parse('the refusal names "{name}"'))
def _(outcome: Outcome, name: str) -> None:
    assert name in outcome.body["error"]["message"]


@then("the refusal says when to come back")
def _(outcome: Outcome) -> None:
    assert read_retry_after(outcome) >= 1


@then(parsers.parse("the refusal says to come back after {seconds:d} seconds"))
def _(outcome: Outcome, seconds: int) -> None:
    assert read_retry_after(outcome) == pytest.approx(seconds)


@then("it took no longer than the settings allow")
def _(outcome: Outcome, gateway: Gateway) -> None:
    assert outcome.seconds <= sum_waits(gateway) + BUSY_SECONDS


def sum_waits(gateway: Gateway) -> float:
    """The longest that the waits before all further attempts take together: each is a random part of its back-off."""
    retries = gateway.settings.retries
    return sum(
        min(retries.backoff_base_seconds * 2.0**attempt, retries.backoff_max_seconds)
        for attempt in range(retries.attempts - 1)
    )
