"""Whatever is sent to the simulator is answered or refused: it must not stumble where Azure would not."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aigateway.simulator.embeddings import read_embeddings_request
from aigateway.simulator.reasoning import ReasoningSeal
from aigateway.simulator.refusals import Refusal
from aigateway.simulator.request import read_request
from aigateway.simulator.store import ResponseStore

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def _mix(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """An object in which each field has one of its good values, or anything at all, or is missing."""
    return st.fixed_dictionaries(
        {}, optional={key: st.sampled_from(good) | _ANYTHING for key, good in fields.items()}
    )


_PARTS = st.lists(
    _mix(type=["input_text", "input_image"], text=["x"], image_url=["data:"]) | _ANYTHING, max_size=2
)
_ITEMS = st.lists(
    _mix(
        type=["message", "function_call", "function_call_output", "reasoning", "item_reference"],
        role=["user", "assistant"],
        content=["x"],
        id=["rs_1", "fc_1"],
        call_id=["call_1"],
        name=["f"],
        arguments=["{}"],
        output=["x"],
        summary=[[]],
    )
    | st.fixed_dictionaries({"role": st.just("user"), "content": _PARTS})
    | _ANYTHING,
    max_size=3,
)
_SCHEMAS = _mix(type=["object"], properties=[{"a": {}}], required=[["a"]], additionalProperties=[False])
_TOOLS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["function", "custom", "namespace"]) | _ANYTHING},
        optional={
            "name": st.just("f") | _ANYTHING,
            "strict": st.just(True) | _ANYTHING,
            "parameters": _SCHEMAS | _ANYTHING,
            "tools": _ANYTHING,
        },
    )
    | _ANYTHING,
    max_size=2,
)
_REQUESTS = st.fixed_dictionaries(
    {"model": st.just("coder"), "input": st.just("x") | _ITEMS | _ANYTHING},
    optional={
        "tools": _TOOLS | _ANYTHING,
        "tool_choice": st.sampled_from(["auto", "required"])
        | _mix(type=["function"], name=["f"])
        | _ANYTHING,
        "include": st.lists(st.just("reasoning.encrypted_content") | _ANYTHING, max_size=2) | _ANYTHING,
        "reasoning": _mix(effort=["low"], summary=["auto"]) | _ANYTHING,
        "text": _mix(format=[{"type": "text"}], verbosity=["low"]) | _ANYTHING,
        "previous_response_id": st.just("resp_1") | _ANYTHING,
        "max_output_tokens": _ANYTHING,
    },
)


@settings(max_examples=300, deadline=None)
@given(_REQUESTS | _ANYTHING)
def test_any_request_for_a_response_is_read_or_refused(body: Any) -> None:
    with contextlib.suppress(Refusal):
        read_request(body, "coder", ResponseStore(), ReasoningSeal("key"))


@settings(max_examples=200, deadline=None)
@given(
    _mix(model=["embedder"], input=["x", ["x"], [1]], encoding_format=["float", "base64"], dimensions=[8])
    | _ANYTHING
)
def test_any_request_for_embeddings_is_read_or_refused(body: Any) -> None:
    with contextlib.suppress(Refusal):
        read_embeddings_request(body, 3072)


@pytest.mark.parametrize(
    "body",
    [
        {"input": [{"type": {"a": 1}}]},
        {"input": "x", "tools": [{"type": "namespace", "name": "n", "tools": 5}]},
        *(
            {
                "input": "x",
                "tools": [
                    {
                        "type": "function",
                        "name": "f",
                        "strict": True,
                        "parameters": {"additionalProperties": False, **schema},
                    }
                ],
            }
            for schema in ({"properties": 5}, {"required": 5}, {"properties": {"a": {}}, "required": [{}]})
        ),
    ],
)
def test_a_value_of_another_type_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        read_request({"model": "coder", **body}, "coder", ResponseStore(), ReasoningSeal("key"))
