"""The simulated model's answers, over one turn and several, through the real client."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from aigateway.simulator.replies import Reply, ToolCall
from aigateway.simulator.server import SimulatorProcess

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}, "days": {"type": "integer"}},
    },
}


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Please help.\nReply with exactly: pong, 1 2\nThank you", "pong, 1 2"),
        ("Count from 1 to 4", "1, 2, 3, 4"),
        ("Which word did I ask you to remember?", "I was not told a word."),
        (
            "What  is\nthis? " + "x" * 100,
            "This is the simulated model's answer to: What is this? " + "x" * 46,
        ),
    ],
)
def test_answers_follow_the_prompt(azure: openai.AzureOpenAI, prompt: str, answer: str) -> None:
    assert azure.responses.create(model="coder", input=prompt).output_text == answer


def test_a_word_is_remembered_along_the_chain(azure: openai.AzureOpenAI) -> None:
    first = azure.responses.create(model="coder", input="Please remember the word kiwi.")
    second = azure.responses.create(model="coder", input="Hello", previous_response_id=first.id)
    asked = "Which word did I ask you to remember?"
    third = azure.responses.create(model="coder", input=asked, previous_response_id=second.id)
    assert third.output_text == "kiwi"
    said = ["remember the word pear", "remember the word plum", asked]
    replayed: Any = [{"role": "user", "content": each} for each in said]
    assert azure.responses.create(model="coder", input=replayed, store=False).output_text == "plum"


@pytest.mark.parametrize(
    ("prompt", "choice", "called"),
    [
        ("Call the weather tool for Paris.", "auto", True),
        ("Call the weather tool for Paris.", "none", False),
        ("Call the other tool for Paris.", "auto", False),
        ("Is a weather tool here?", "auto", False),
    ],
)
def test_a_tool_is_called_where_the_prompt_says_so(
    azure: openai.AzureOpenAI, prompt: str, choice: Any, called: bool
) -> None:
    made = azure.responses.create(model="coder", input=prompt, tools=[WEATHER], tool_choice=choice)
    assert [item.type for item in made.output if item.type != "reasoning"] == [
        "function_call" if called else "message"
    ]


def test_nothing_is_kept_where_store_is_false(azure: openai.AzureOpenAI) -> None:
    made = azure.responses.create(model="coder", input="hello", store=False)
    with pytest.raises(openai.NotFoundError):
        azure.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match=f"Previous response with id '{made.id}' not found"):
        azure.responses.create(model="coder", input="hello", previous_response_id=made.id)


def test_a_stored_response_is_read_and_deleted(azure: openai.AzureOpenAI) -> None:
    made = azure.responses.create(model="coder", input="hello")
    assert azure.responses.retrieve(made.id).output_text == made.output_text
    listed = azure.responses.input_items.list(made.id).data
    assert [item.type for item in listed] == ["message"]
    azure.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError, match="not found"):
        azure.responses.retrieve(made.id)


def test_a_background_response_is_cancelled_or_finishes(azure: openai.AzureOpenAI) -> None:
    made = azure.responses.create(model="coder", input="hello", background=True)
    assert (made.status, made.output) == ("queued", [])
    assert azure.responses.retrieve(made.id).status == "completed"
    with pytest.raises(openai.BadRequestError, match="Cannot cancel"):
        azure.responses.cancel(made.id)
    other = azure.responses.create(model="coder", input="hello", background=True)
    assert azure.responses.cancel(other.id).status == "cancelled"
    assert azure.responses.retrieve(other.id).status == "cancelled"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "weather"}])
def test_a_required_tool_is_called_and_its_output_read(azure: openai.AzureOpenAI, choice: Any) -> None:
    made = azure.responses.create(
        model="coder", input="How is the weather in Paris today?", tools=[WEATHER], tool_choice=choice
    )
    call = made.output[-1]
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"city": "Paris", "unit": "C", "days": 1}
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}
    chained = azure.responses.create(
        model="coder", input=[result], previous_response_id=made.id, tools=[WEATHER]
    )
    assert chained.output_text == "The tool answered: 18 degrees"


def test_an_unforced_tool_is_not_called(azure: openai.AzureOpenAI) -> None:
    made = azure.responses.create(model="coder", input="Reply with exactly: no", tools=[WEATHER])
    assert made.output_text == "no"


def turn_with_reasoning(azure: openai.AzureOpenAI) -> tuple[list[Any], Any]:
    """A stateless first turn: its output items, and the result of its tool call."""
    made = azure.responses.create(
        model="coder",
        input="weather",
        tools=[WEATHER],
        tool_choice="required",
        store=False,
        include=["reasoning.encrypted_content"],
    )
    items = [item.to_dict() for item in made.output]
    assert [item["type"] for item in items] == ["reasoning", "function_call"]
    return items, {"type": "function_call_output", "call_id": items[1]["call_id"], "output": "18"}


def test_encrypted_reasoning_is_replayed(azure: openai.AzureOpenAI) -> None:
    items, result = turn_with_reasoning(azure)
    items[0]["content"] = None  # as Codex sends it
    made = azure.responses.create(model="coder", input=[*items, result], store=False)
    assert made.output_text == "The tool answered: 18"


def test_tampered_reasoning_is_refused(azure: openai.AzureOpenAI) -> None:
    items, result = turn_with_reasoning(azure)
    content = items[0]["encrypted_content"]
    items[0]["encrypted_content"] = content[:40] + ("A" if content[40] != "A" else "B") + content[41:]
    with pytest.raises(openai.BadRequestError, match="could not be verified"):
        azure.responses.create(model="coder", input=[*items, result], store=False)


def test_reasoning_without_its_content_is_refused(azure: openai.AzureOpenAI) -> None:
    items, result = turn_with_reasoning(azure)
    del items[0]["encrypted_content"]
    with pytest.raises(openai.NotFoundError, match="Items are not persisted"):
        azure.responses.create(model="coder", input=[*items, result], store=False)


def test_an_item_of_a_stored_response_can_be_referred_to(azure: openai.AzureOpenAI) -> None:
    made = azure.responses.create(model="coder", input="hello")
    reference: Any = {"type": "item_reference", "id": made.output[0].id}
    again = azure.responses.create(
        model="coder", input=[reference, {"role": "user", "content": "Reply with exactly: ok"}]
    )
    assert again.output_text == "ok"


def test_what_codex_sends_is_taken(azure: openai.AzureOpenAI) -> None:
    tools: Any = [
        {"type": "function", "name": "shell", "strict": False, "parameters": {"type": "object"}},
        {
            "type": "namespace",
            "name": "mcp",
            "description": "d",
            "tools": [{"type": "function", "name": "run"}],
        },
        {
            "type": "custom",
            "name": "apply_patch",
            "format": {"type": "grammar", "syntax": "lark", "definition": "x"},
        },
        {"type": "web_search", "external_web_access": False},
    ]
    items: Any = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]},
        {
            "type": "custom_tool_call",
            "call_id": "c1",
            "name": "apply_patch",
            "input": "x",
            "status": "completed",
        },
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
    ]
    with azure.responses.stream(
        model="coder",
        instructions="You are Codex.",
        input=items,
        tools=tools,
        tool_choice="auto",
        parallel_tool_calls=False,
        reasoning={"effort": "medium", "summary": "auto"},
        store=False,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="k",
    ) as stream:
        final = stream.get_final_response()
    assert final.output_text == "The tool answered: done"


def test_a_scripted_reply_is_given_once_to_its_marker(
    azure: openai.AzureOpenAI, simulator: SimulatorProcess, marker: str
) -> None:
    simulator.control.reply_with(Reply(calls=(ToolCall("weather", {"city": "Rome"}),)), marker=marker)
    other = azure.responses.create(model="coder", input="Reply with exactly: mine")
    assert other.output_text == "mine"
    first = azure.responses.create(model="coder", input=marker, tools=[WEATHER])
    assert [item.type for item in first.output] == ["function_call"]
    assert azure.responses.create(model="coder", input=marker, tools=[WEATHER]).output_text


def test_the_v1_client_is_served_too(simulator: SimulatorProcess) -> None:
    client = openai.OpenAI(
        base_url=f"{simulator.url}/openai/v1",
        api_key="unused",
        default_headers={"api-key": "simulated-azure-key-0123456789"},
        max_retries=0,
    )
    with client:
        assert client.responses.create(model="coder", input="Reply with exactly: v1").output_text == "v1"


def test_chat_completions_do_not_work_with_this_model(azure: openai.AzureOpenAI) -> None:
    with pytest.raises(
        openai.BadRequestError, match="chatCompletion operation does not work with the specified model"
    ):
        azure.chat.completions.create(model="coder", messages=[{"role": "user", "content": "hello"}])
