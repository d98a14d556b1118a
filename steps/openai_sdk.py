"""Programs that use OpenAI's package for Python: its helpers, its retries, the errors that it raises."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping

import openai
from pydantic import BaseModel, ValidationError
from pytest_bdd import given, parsers, then, when

from steps.access_log import wait_for_lines
from steps.answer_streams import Json
from steps.answers import OPERATIONS, Outcome, ask_for_answer, attempt
from steps.clients import TOO_LONG
from steps.gateway import Gateway

# The gateway's own ids say which model made them; this one, as Azure makes them, says nothing.
_AZURES_OWN_ID = "resp_0123456789abcdef0123456789abcdef0123456789abcdef"


class Place(BaseModel):
    """A type of a program's own."""

    city: str
    number: int


def _stream_responses(gateway: Gateway, prompt: str) -> str:
    model = gateway.settings.azure.responses.model
    with gateway.connect().responses.stream(model=model, input=prompt) as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response().output_text
    assert "".join(pieces) == final
    return final


def _stream_chat(gateway: Gateway, prompt: str) -> str:
    model = gateway.settings.azure.responses.model
    with gateway.connect().chat.completions.stream(
        model=model,
        messages=[{"role": "user", "content": prompt}],
        stream_options={"include_usage": True},
    ) as stream:
        pieces = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion().choices[0].message.content or ""
    assert "".join(pieces) == final
    return final


def _stream_asynchronously(gateway: Gateway, prompt: str) -> str:
    return asyncio.run(_stream_in_loop(gateway, prompt))


async def _stream_in_loop(gateway: Gateway, prompt: str) -> str:
    async with gateway.connect_async() as client:
        stream = await client.responses.create(
            model=gateway.settings.azure.responses.model, input=prompt, stream=True
        )
        finals = [event.response async for event in stream if event.type == "response.completed"]
    return "".join(final.output_text for final in finals)


_HELPERS: Mapping[str, Callable[[Gateway, str], str]] = {
    "responses.stream": _stream_responses,
    "chat.completions.stream": _stream_chat,
    "responses.create of AsyncOpenAI": _stream_asynchronously,
}


@when(parsers.parse("a program streams an answer through {helper}"), target_fixture="outcome")
def _(gateway: Gateway, marker: str, helper: str) -> Outcome:
    return attempt(lambda: _HELPERS[helper](gateway, f"Reply with exactly: {marker}"))


@when("a program asks for a city and a number, as a type of its own", target_fixture="place")
def _(gateway: Gateway, marker: str) -> Place | None:
    try:
        response = gateway.connect().responses.parse(
            model=gateway.settings.azure.responses.model,
            input=f"Name any city, and any number from 1 to 9. ({marker})",
            text_format=Place,
        )
    except ValidationError as error:
        raise AssertionError(f"the answer is not of that type: {error}") from error
    return response.output_parsed


@then("it gets them as that type")
def _(place: Place | None) -> None:
    assert place
    assert place.city


@when("a program asks and tries again by itself", target_fixture="outcome")
def _(gateway: Gateway, marker: str) -> Outcome:
    client = gateway.connect().with_options(max_retries=openai.DEFAULT_MAX_RETRIES)
    model = gateway.settings.azure.responses.model
    return attempt(
        lambda: client.responses.create(model=model, input=f"Reply with exactly: {marker}").output_text
    )


# --- errors


def _catch(ask: Callable[[], object]) -> openai.APIStatusError:
    try:
        ask()
    except openai.APIStatusError as error:
        return error
    raise AssertionError("the package raised no error")


@when("a program asks", target_fixture="error")
def _(gateway: Gateway, marker: str) -> openai.APIStatusError:
    return _catch(lambda: ask_for_answer(gateway, marker))


@when(
    parsers.re(rf"a program asks for (?P<operation>{'|'.join(OPERATIONS)})"),
    target_fixture="error",
)
def _(gateway: Gateway, marker: str, operation: str) -> openai.APIStatusError:
    return _catch(lambda: OPERATIONS[operation](gateway, marker))


@when("a program asks with a wrong key", target_fixture="error")
def _(gateway: Gateway, marker: str) -> openai.APIStatusError:
    client = gateway.connect().with_options(api_key=f"sk-{marker}")
    return _catch(lambda: client.responses.create(model="any", input=marker))


@given("a program has stored a response", target_fixture="stored_id")
def _(gateway: Gateway, marker: str) -> str:
    model = gateway.settings.azure.responses.model
    return gateway.connect().responses.create(model=model, input=f"Say OK. ({marker})").id


@when(parsers.re(r"it (?P<does>reads|deletes) the stored response"), target_fixture="error")
def _(gateway: Gateway, stored_id: str, does: str) -> openai.APIStatusError:
    responses = gateway.connect().responses
    ask = responses.retrieve if does == "reads" else responses.delete
    return _catch(lambda: ask(stored_id))


@when("a program reads a response which it has deleted", target_fixture="error")
def _(gateway: Gateway, marker: str) -> openai.APIStatusError:
    responses = gateway.connect().responses
    kept = responses.create(model=gateway.settings.azure.responses.model, input=f"Say OK. ({marker})")
    responses.delete(kept.id)
    return _catch(lambda: responses.retrieve(kept.id))


@when("a program names a response which is not the gateway's", target_fixture="error")
def _(gateway: Gateway) -> openai.APIStatusError:
    return _catch(lambda: gateway.connect().responses.retrieve(_AZURES_OWN_ID))


@when("a program sends more than the model can take", target_fixture="error")
def _(gateway: Gateway, marker: str) -> openai.APIStatusError:
    model = gateway.settings.azure.responses.model
    return _catch(
        lambda: gateway.connect().responses.create(model=model, input=f"{marker} {TOO_LONG}", stream=True)
    )


@then(parsers.parse("the package raises {name}"))
def _(error: openai.APIStatusError, name: str) -> None:
    assert type(error).__name__ == name, f"status {error.status_code}: {error.message:.300}"


@then("the error carries the request id of the gateway's answer")
def _(gateway: Gateway, error: openai.APIStatusError) -> None:
    assert error.request_id
    # What a deployed edge logs can be read only minutes later: there, that it gave an id is all that shows.
    if gateway.edge:
        (line,) = wait_for_lines(gateway.edge, {error.request_id}).values()
        assert line.status == error.status_code


@then("its message holds Azure's own error as JSON, with code and parameter")
def _(error: openai.APIStatusError) -> None:
    azure = _find_wrapped(error)
    assert azure["code"] == "context_length_exceeded"
    assert azure["param"] == "input"
    assert "exceeds the context window" in azure["message"]


def _find_wrapped(error: openai.APIStatusError) -> Json:
    found = re.search(r'\{"error":.*\}', error.message)
    assert found, error.message
    wrapped: Json = json.loads(found[0])["error"]
    return wrapped


@then("its own code is only the status, and its parameter is lost")
def _(error: openai.APIStatusError) -> None:
    """A declared deviation; when it is gone, this fails and docs/deviations.md loses a section."""
    assert error.code == str(error.status_code)
    assert error.param is None


@then("its message says that it was the content filter")
def _(error: openai.APIStatusError) -> None:
    assert re.search(r"content[ _](management policy|filter)", error.message), error.message
