"""A coding assistant at work: questions, streams, tools, conversations."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from openai.types.responses import (
    FunctionToolParam,
    Response,
    ResponseFunctionToolCall,
    ResponseInputParam,
    ResponseItem,
    ResponseStreamEvent,
)
from pytest_bdd import given, parsers, then, when

from aigateway.waiting import wait_until
from steps.answers import OPERATIONS, Outcome, attempt
from steps.gateway import PATIENCE_SECONDS, Gateway

_WEATHER_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Name of the city"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
    },
    "required": ["city", "unit"],
    "additionalProperties": False,
}
_WEATHER_TOOL: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city, now",
    "parameters": _WEATHER_SCHEMA,
    "strict": True,
}


# The status of a response in the background that is not there yet.
_TO_COME = {"queued", "in_progress"}


@dataclass(frozen=True)
class Turn:
    """A turn of a conversation: what was sent and what came back."""

    sent: ResponseInputParam
    response: Response


@dataclass(frozen=True)
class Stream:
    """A streamed answer: its events, and when each of them arrived, in seconds of the monotonic clock."""

    events: tuple[ResponseStreamEvent, ...]
    arrived: tuple[float, ...]


@dataclass(frozen=True)
class ChatStream:
    """A streamed chat completion: the pieces of its text, when each of them arrived, and why it ended."""

    pieces: tuple[str, ...]
    arrived: tuple[float, ...]
    finish: str | None

    def count(self) -> list[int]:
        """The numbers in its text."""
        return [int(number) for number in re.findall(r"\d+", "".join(self.pieces))]


def read_stream(events: Iterable[ResponseStreamEvent]) -> Stream:
    """Read a stream to its end."""
    pairs = [(event, time.monotonic()) for event in events]
    return Stream(tuple(event for event, _ in pairs), tuple(moment for _, moment in pairs))


@pytest.fixture
def codex(gateway: Gateway) -> openai.OpenAI:
    """The assistant's client."""
    return gateway.connect()


@pytest.fixture
def model(gateway: Gateway) -> str:
    """The model that the assistant asks."""
    return gateway.settings.azure.responses.model


def _say(text: str) -> ResponseInputParam:
    return [{"role": "user", "content": text}]


# --- plain and streamed answers


@when("the assistant asks the model to repeat a phrase", target_fixture="response")
def _(codex: openai.OpenAI, model: str, marker: str) -> Response:
    return codex.responses.create(model=model, input=f"Reply with exactly: {marker}")


@then("the answer is that phrase")
def _(response: Response, marker: str) -> None:
    assert response.status == "completed"
    assert response.output_text.strip() == marker


@then("the answer tells how many tokens it used")
def _(response: Response) -> None:
    assert response.usage is not None
    assert response.usage.input_tokens > 0
    assert response.usage.output_tokens > 0
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


@when(parsers.parse("the assistant asks for a count from 1 to {last:d} as a stream"), target_fixture="stream")
def _(codex: openai.OpenAI, model: str, marker: str, last: int) -> Stream:
    prompt = f"Count from 1 to {last}, separated by commas and spaces, and write nothing else. ({marker})"
    return read_stream(codex.responses.create(model=model, input=prompt, stream=True))


@then("the stream runs in order from created to completed")
def _(stream: Stream) -> None:
    types = [event.type for event in stream.events]
    assert types[0] == "response.created"
    assert types[-1] == "response.completed"
    assert types.count("response.completed") == 1
    numbers = [event.sequence_number for event in stream.events]
    assert numbers == sorted(set(numbers)), "the sequence numbers do not rise"


@then("its pieces put together are the final answer")
def _(stream: Stream) -> None:
    pieces = [event.delta for event in stream.events if event.type == "response.output_text.delta"]
    assert len(pieces) > 1, "the answer came in one piece: it was not streamed"
    assert "".join(pieces) == _find_final(stream).output_text


@then(parsers.parse("the first piece arrived at least {seconds:d} second before the end"))
def _(stream: Stream, seconds: int) -> None:
    first = next(
        moment
        for event, moment in zip(stream.events, stream.arrived, strict=True)
        if event.type == "response.output_text.delta"
    )
    assert stream.arrived[-1] - first >= seconds, "the answer was held back until it was whole"


@then(parsers.parse("the answer counts from 1 to {last:d}"))
def _(stream: Stream, last: int) -> None:
    numbers = _find_final(stream).output_text.replace(".", "").split(",")
    assert [number.strip() for number in numbers] == [str(number) for number in range(1, last + 1)]


@when(
    parsers.parse("the assistant asks for a count from 1 to {last:d} as a streamed chat completion"),
    target_fixture="chat",
)
def _(codex: openai.OpenAI, model: str, marker: str, last: int) -> ChatStream:
    prompt = f"Count from 1 to {last}, separated by commas and spaces, and write nothing else. ({marker})"
    chunks = codex.chat.completions.create(
        model=model, messages=[{"role": "user", "content": prompt}], stream=True
    )
    pairs = [(choice, time.monotonic()) for chunk in chunks for choice in chunk.choices]
    said = [(choice.delta.content, moment) for choice, moment in pairs if choice.delta.content]
    return ChatStream(
        tuple(text for text, _ in said),
        tuple(moment for _, moment in said),
        pairs[-1][0].finish_reason,
    )


@then(parsers.parse("its first piece arrived at least {seconds:d} second before its end"))
def _(chat: ChatStream, seconds: int) -> None:
    assert chat.arrived[-1] - chat.arrived[0] >= seconds, "the answer was held back until it was whole"


@then(parsers.parse("it counts from 1 to {last:d}"))
def _(chat: ChatStream, last: int) -> None:
    assert chat.finish == "stop"
    assert chat.count() == list(range(1, last + 1))


@then(parsers.parse("it lacks a number from 1 to {last:d}, though it says that it is whole"))
def _(chat: ChatStream, last: int) -> None:
    assert chat.finish == "stop"
    assert len(chat.count()) == last - 1


def _find_final(stream: Stream) -> Response:
    finals = [event.response for event in stream.events if event.type == "response.completed"]
    assert len(finals) == 1, (
        f"{len(finals)} completed answers; the stream ended with {stream.events[-1:]!r:.300}"
    )
    return finals[0]


# --- tools


@when(
    "the assistant offers a weather tool and asks for the weather in Pretoria as a stream",
    target_fixture="stream",
)
def _(codex: openai.OpenAI, model: str, marker: str) -> Stream:
    events = codex.responses.create(
        model=model,
        input=f"What is the weather in Pretoria, in celsius? ({marker})",
        tools=[_WEATHER_TOOL],
        tool_choice={"type": "function", "name": "get_weather"},
        stream=True,
    )
    return read_stream(events)


@then("the model calls the weather tool with arguments that fit its schema")
def _(stream: Stream) -> None:
    _check_weather_call(_find_call(_find_final(stream)))


@then("the streamed pieces of the arguments put together are the call's arguments")
def _(stream: Stream) -> None:
    pieces = [
        event.delta for event in stream.events if event.type == "response.function_call_arguments.delta"
    ]
    assert len(pieces) > 1, "the arguments came in one piece: they were not streamed"
    assert "".join(pieces) == _find_call(_find_final(stream)).arguments


@given("the model has called the weather tool", target_fixture="turn")
def _(codex: openai.OpenAI, model: str, marker: str) -> Turn:
    sent = _say(
        f"What is the weather in Pretoria, in celsius? Tell me what the tool says, with the number. ({marker})"
    )
    response = codex.responses.create(
        model=model,
        input=sent,
        tools=[_WEATHER_TOOL],
        tool_choice={"type": "function", "name": "get_weather"},
    )
    _check_weather_call(_find_call(response))
    return Turn(sent, response)


@when(parsers.parse("the assistant sends back that it is {degrees:d} degrees"), target_fixture="response")
def _(codex: openai.OpenAI, model: str, turn: Turn, degrees: int) -> Response:
    result: Any = {
        "type": "function_call_output",
        "call_id": _find_call(turn.response).call_id,
        "output": json.dumps({"degrees": degrees, "unit": "celsius"}),
    }
    sent: Any = [*turn.sent, *turn.response.to_dict()["output"], result]  # type: ignore[misc] # a list of items
    return codex.responses.create(model=model, input=sent, tools=[_WEATHER_TOOL])


@then(parsers.parse("the answer mentions {text}"))
def _(response: Response, text: str) -> None:
    assert text in response.output_text


def _find_call(response: Response) -> ResponseFunctionToolCall:
    calls = [item for item in response.output if item.type == "function_call"]
    assert len(calls) == 1, f"{len(calls)} calls in {[item.type for item in response.output]}"
    return calls[0]


def _check_weather_call(call: ResponseFunctionToolCall) -> None:
    assert call.name == "get_weather"
    _check_weather_arguments(call.arguments)


def _check_weather_arguments(text: str) -> None:
    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise AssertionError(f"the arguments are not JSON: {text!r:.300}") from error
    assert set(arguments) == {"city", "unit"}
    assert isinstance(arguments["city"], str)
    assert arguments["city"]
    assert arguments["unit"] in {"celsius", "fahrenheit"}


# --- conversations


@given("a first turn that stored nothing and returned its reasoning encrypted", target_fixture="turn")
def _(codex: openai.OpenAI, model: str, marker: str) -> Turn:
    sent = _say(f"Reply with exactly: first-{marker}")
    response = codex.responses.create(
        model=model,
        input=sent,
        store=False,
        include=["reasoning.encrypted_content"],
        reasoning={"effort": "low"},
    )
    reasoning = [item for item in response.output if item.type == "reasoning"]
    assert reasoning, "the model returned no reasoning"
    assert all(item.encrypted_content for item in reasoning)
    return Turn(sent, response)


@when("the assistant continues the conversation with that reasoning", target_fixture="response")
def _(codex: openai.OpenAI, model: str, turn: Turn, marker: str) -> Response:
    question = _say(f"Reply with exactly: second-{marker}")
    sent: Any = [*turn.sent, *turn.response.to_dict()["output"], *question]  # type: ignore[misc] # a list of items
    return codex.responses.create(
        model=model,
        input=sent,
        store=False,
        include=["reasoning.encrypted_content"],
        reasoning={"effort": "low"},
    )


@then("the answer is the phrase of the second turn")
def _(response: Response, marker: str) -> None:
    assert response.output_text.strip() == f"second-{marker}"


@given("the assistant has told the model a word to remember", target_fixture="turn")
def _(codex: openai.OpenAI, model: str, marker: str) -> Turn:
    sent = _say(f"Please remember the word {marker} and reply with OK only.")
    return Turn(sent, codex.responses.create(model=model, input=sent, store=True))


@when("the assistant asks for the word and names only the previous response", target_fixture="response")
def _(codex: openai.OpenAI, model: str, turn: Turn) -> Response:
    return codex.responses.create(
        model=model,
        input="Which word did I ask you to remember? Reply with that word only.",
        previous_response_id=turn.response.id,
    )


@then("the answer is that word")
def _(response: Response, marker: str) -> None:
    assert marker in response.output_text


@given("the model has given a stored answer", target_fixture="turn")
def _(codex: openai.OpenAI, model: str, marker: str) -> Turn:
    sent = _say(f"Reply with exactly: {marker}")
    return Turn(sent, codex.responses.create(model=model, input=sent, store=True))


@when("the assistant reads the stored response", target_fixture="response")
def _(codex: openai.OpenAI, turn: Turn) -> Response:
    return codex.responses.retrieve(turn.response.id)


@when("the assistant reads what the response was made from", target_fixture="items")
def _(codex: openai.OpenAI, turn: Turn) -> list[ResponseItem]:
    return list(codex.responses.input_items.list(turn.response.id))


@then("it is what the assistant had said")
def _(items: list[ResponseItem], marker: str) -> None:
    said = [
        part.text
        for item in items
        if item.type == "message"
        for part in item.content
        if part.type == "input_text"
    ]
    assert said == [f"Reply with exactly: {marker}"]


@given("the assistant has asked for an answer in the background", target_fixture="response")
@when("the assistant asks for an answer in the background", target_fixture="response")
def _(codex: openai.OpenAI, model: str, marker: str) -> Response:
    return codex.responses.create(
        model=model, input=f"Reply with exactly: {marker}", background=True, store=True
    )


@then("it is told that the answer is to come")
def _(response: Response) -> None:
    assert response.status in _TO_COME, response.status
    assert not response.output


@then("the answer is there when the assistant comes back for it")
def _(codex: openai.OpenAI, response: Response, marker: str) -> None:
    last = response

    def has_ended() -> bool:
        nonlocal last
        last = codex.responses.retrieve(response.id)
        return last.status not in _TO_COME

    assert wait_until(has_ended, seconds=PATIENCE_SECONDS, every=0.5), f"it is still {last.status}"
    assert last.status == "completed"
    assert marker in last.output_text


@when("the assistant cancels it", target_fixture="cancelled")
def _(codex: openai.OpenAI, response: Response) -> Response:
    return codex.responses.cancel(response.id)


@then("it is told that the answer will not come")
def _(codex: openai.OpenAI, response: Response, cancelled: Response) -> None:
    for told in (cancelled, codex.responses.retrieve(response.id)):
        assert told.status == "cancelled"
        assert not told.output


@then("what it is told has an id that the gateway does not know")
def _(codex: openai.OpenAI, response: Response, cancelled: Response) -> None:
    assert cancelled.id != response.id
    with pytest.raises(openai.BadRequestError):
        codex.responses.retrieve(cancelled.id)


@then("it holds the same answer")
def _(response: Response, turn: Turn) -> None:
    assert response.output_text == turn.response.output_text


@then("after it is deleted it cannot be read any more")
def _(codex: openai.OpenAI, turn: Turn) -> None:
    codex.responses.delete(turn.response.id)
    with pytest.raises(openai.NotFoundError):
        codex.responses.retrieve(turn.response.id)


# --- whatever the client speaks


@when(
    parsers.re(rf"the assistant asks (for|over) (?P<operation>{'|'.join(OPERATIONS)})"),
    target_fixture="outcome",
)
def _(gateway: Gateway, marker: str, operation: str) -> Outcome:
    return attempt(lambda: OPERATIONS[operation](gateway, marker))


@when("the assistant asks the same question twice", target_fixture="outcome")
def _(gateway: Gateway, marker: str) -> Outcome:
    attempt(lambda: OPERATIONS["an answer"](gateway, marker))
    return attempt(lambda: OPERATIONS["an answer"](gateway, marker))


@when(parsers.parse('the assistant asks a model named "{name}"'), target_fixture="outcome")
def _(codex: openai.OpenAI, marker: str, name: str) -> Outcome:
    return attempt(lambda: codex.responses.create(model=name, input=marker).output_text)
