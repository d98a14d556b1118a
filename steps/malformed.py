"""Bodies that are no request: broken, of the wrong form, with fields that do not fit, or far too large."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_bdd import given, parsers, then, when

from aigateway.acceptance.target import Target
from aigateway.rendering.edge import derive_edge
from aigateway.waiting import wait_until
from steps.answers import Outcome, assert_openai_error, describe
from steps.gateway import ROOMY_SLOT, Edges, Gateway, LocalControl, OwnStack, Stacks, connect_http
from steps.load import limit
from steps.places import write_ample_limit
from steps.secrecy import Inside, assert_closed
from steps.wire import exchange, find_host, write_request

Body = dict[str, Any]

_MIB = 1024**2
_JSON = "application/json"
_NESTED = 100_000
_PLACES = 100


@dataclass(frozen=True)
class Endpoint:
    """Where a body can be sent: its path, a good body, the field that says what to work on, and the largest body."""

    name: str
    good: Body
    field: str
    limit_bytes: int

    @property
    def path(self) -> str:
        """Its path."""
        return f"/v1/{self.name}"


def describe_endpoints(gateway: Gateway, marker: str) -> dict[str, Endpoint]:
    """Every endpoint that takes a body, by its name."""
    azure, edge = gateway.settings.azure, derive_edge(gateway.settings)
    text = f"Reply with exactly: {marker}"
    answer, vector = azure.responses.model, azure.embeddings.model
    most, indexing = edge.body_limit_bytes, edge.indexing_body_limit_bytes
    messages = [{"role": "user", "content": text}]
    endpoints = (
        Endpoint("responses", {"model": answer, "input": text}, "input", most),
        Endpoint("chat/completions", {"model": answer, "messages": messages}, "messages", most),
        Endpoint("embeddings", {"model": vector, "input": text}, "input", indexing),
    )
    return {endpoint.name: endpoint for endpoint in endpoints}


def post(gateway: Gateway, path: str, content: bytes, form: str | None = _JSON) -> Outcome:
    """Send a body as it is."""
    headers = {"Authorization": f"Bearer {gateway.key}", **({"Content-Type": form} if form else {})}
    return describe(connect_http().post(f"{gateway.base_url}{path}", content=content, headers=headers))


@pytest.fixture(scope="session")
def roomy_gateway(target: Target, control: LocalControl) -> Iterator[Gateway]:
    """A gateway of these scenarios' own: at the one that all share they would wait for what one client may send."""
    with ExitStack() as undo:
        yield Edges(control.move(ROOMY_SLOT), undo).start(limit(target.settings, write_ample_limit(_PLACES)))


@given("a gateway that takes many requests", target_fixture="gateway")
def _(roomy_gateway: Gateway) -> Gateway:
    return roomy_gateway


# --- bodies that cannot be read


def _with(**fields: object) -> Callable[[Endpoint], bytes]:
    """A good body but for some fields; what is not a model is put into the field to work on."""
    return lambda endpoint: json.dumps(
        endpoint.good | {endpoint.field if name == "field" else name: value for name, value in fields.items()}
    ).encode()


def _without(name: str) -> Callable[[Endpoint], bytes]:
    def write(endpoint: Endpoint) -> bytes:
        gone = endpoint.field if name == "field" else name
        return json.dumps({key: value for key, value in endpoint.good.items() if key != gone}).encode()

    return write


def _around(before: bytes, after: bytes) -> Callable[[Endpoint], bytes]:
    return lambda endpoint: before + _good(endpoint) + after


def _raw(value: bytes) -> Callable[[Endpoint], bytes]:
    """A good body, and a field whose value is not what Python would write."""
    return lambda endpoint: _good(endpoint)[:-1] + b', "user": ' + value + b"}"


def _good(endpoint: Endpoint) -> bytes:
    return json.dumps(endpoint.good).encode()


#: By the name that the features use.
_BODIES: Mapping[str, Callable[[Endpoint], bytes]] = {
    "nothing": lambda _: b"",
    "blanks": lambda _: b" \r\n\t ",
    "words": lambda _: b"please answer",
    "half of its JSON": lambda endpoint: _good(endpoint)[:-3],
    "JSON and more": _around(b"", b" please"),
    "two JSON objects": lambda endpoint: _good(endpoint) * 2,
    "a JSON list": _around(b"[", b"]"),
    "a JSON text": lambda endpoint: json.dumps(json.dumps(endpoint.good)).encode(),
    "a JSON number": lambda _: b"5",
    "a JSON null": lambda _: b"null",
    "JSON with a comment": _around(b"// please\n", b""),
    "JSON in UTF-16": lambda endpoint: json.dumps(endpoint.good).encode("utf-16"),
    "JSON with a byte order mark": _around(b"\xef\xbb\xbf", b""),
    "a text that is no UTF-8": _raw(b'"\xff\xfe\xc3\x28"'),
    "a text with half a character": _raw(rb'"\ud800"'),
    "a text with a zero byte": _raw(b'"a\x00b"'),
    "a number that is none": _raw(b"NaN"),
    "a number beyond all numbers": _raw(b"1e99999"),
    "a number of 5,000 digits": _raw(b"9" * 5000),
    "100,000 lists in each other": _raw(b"[" * _NESTED + b"]" * _NESTED),
    "100,000 objects in each other": _raw(b'{"a":' * _NESTED + b"1" + b"}" * _NESTED),
    "lists that never end": lambda _: b"[" * _NESTED,
    "no model": _without("model"),
    "two models": lambda endpoint: b'{"model": "gpt-unheard-of", ' + _good(endpoint)[1:],
    "an empty model": _with(model=""),
    "a model that is a number": _with(model=5),
    "a model that is a list": lambda endpoint: _with(model=[endpoint.good["model"]])(endpoint),
    "a model that is a path": lambda endpoint: _with(model=f"azure/{endpoint.good['model']}")(endpoint),
    "an unknown model": _with(model="gpt-unheard-of"),
    "a model whose name is 100 KiB long": _with(model="a" * 100 * 1024),
    "no input": _without("field"),
    "an input that is null": _with(field=None),
}


@when(parsers.parse("every endpoint is sent a body of {content}"), target_fixture="outcomes")
def _(gateway: Gateway, marker: str, content: str) -> list[Outcome]:
    write = _BODIES[content]
    endpoints = describe_endpoints(gateway, marker).values()
    return [post(gateway, endpoint.path, write(endpoint)) for endpoint in endpoints]


@when(parsers.parse("every endpoint is sent a good body as {form}"), target_fixture="outcomes")
def _(gateway: Gateway, marker: str, form: str) -> list[Outcome]:
    kind = None if form == "nothing in particular" else form
    endpoints = describe_endpoints(gateway, marker).values()
    return [post(gateway, endpoint.path, _good(endpoint), kind) for endpoint in endpoints]


@then("each refuses it with a 4xx in OpenAI's error shape")
def _(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        assert 400 <= outcome.status < 500, f"status {outcome.status}: {outcome.text:.200}"
        assert_openai_error(outcome)


@then(parsers.parse("each refuses it with status {status:d} in OpenAI's error shape"))
def _(outcomes: Sequence[Outcome], status: int) -> None:
    assert [outcome.status for outcome in outcomes] == [status] * len(outcomes)
    for outcome in outcomes:
        assert_openai_error(outcome)


# --- fields that do not fit


@when(
    parsers.re(r"(?P<endpoint>\S+) is sent a body in which (?P<field>\S+) is (?P<value>.+)"),
    target_fixture="outcome",
)
def _(gateway: Gateway, marker: str, endpoint: str, field: str, value: str) -> Outcome:
    chosen = describe_endpoints(gateway, marker)[endpoint]
    return post(gateway, chosen.path, json.dumps(chosen.good | {field: json.loads(value)}).encode())


@then("no refusal shows what stands behind the gateway")
def _(inside: Inside, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        assert_closed(inside, outcome)


@then("the refusal tells nothing of any program, and nothing of what stands behind the gateway")
def _(inside: Inside, outcome: Outcome) -> None:
    for word in ("object is not", ".py"):
        assert word not in outcome.text, f"{word!r} in {outcome.text:.300}"
    assert_closed(inside, outcome)


# --- bodies that are too large


def _upload(gateway: Gateway, endpoint: Endpoint, size: int, way: str, model: str = "") -> Outcome:
    """Send a body of `size` bytes that is one long text, with its length or in chunks."""
    headers = [
        ("Host", find_host(gateway)),
        ("Authorization", f"Bearer {gateway.key}"),
        ("Content-Type", _JSON),
        ("Connection", "close"),
    ]
    body = _fill(endpoint.good | {"model": model or endpoint.good["model"]}, size)
    if way == "in chunks":
        framing = ("Transfer-Encoding", "chunked")
        pieces = _chunk(body)
    else:
        framing = ("Content-Length", str(size))
        pieces = body
    head = write_request("POST", endpoint.path, [*headers, framing])
    answers = exchange(gateway, (piece for part in ([head], pieces) for piece in part))
    assert len(answers) == 1, f"not one answer: {answers}"
    return answers[0]


def _fill(good: Body, size: int) -> Iterator[bytes]:
    """A good body with a text in it that makes it `size` bytes long, piece by piece."""
    before, after = json.dumps(good | {"user": ""}).encode()[:-2], b'"}'
    left = size - len(before) - len(after)
    yield before
    while left:
        piece = b"a" * min(left, 64 * 1024)
        left -= len(piece)
        yield piece
    yield after


def _chunk(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


@when(
    parsers.parse("every endpoint is sent a body that is {much} too large, {way}"), target_fixture="outcomes"
)
def _(gateway: Gateway, marker: str, much: str, way: str) -> list[Outcome]:
    more = {"one byte": 1, "a mebibyte": _MIB}[much]
    endpoints = describe_endpoints(gateway, marker).values()
    return [_upload(gateway, endpoint, endpoint.limit_bytes + more, way) for endpoint in endpoints]


@when(
    "every endpoint is sent a body that is just small enough, for an unknown model", target_fixture="outcomes"
)
def _(gateway: Gateway, marker: str) -> list[Outcome]:
    return [
        _upload(gateway, endpoint, endpoint.limit_bytes, "with a length", model=f"gpt-{marker}")
        for endpoint in describe_endpoints(gateway, marker).values()
    ]


@then("each says that there is no such model")
def _(outcomes: Sequence[Outcome], marker: str) -> None:
    for outcome in outcomes:
        assert outcome.status == 400, f"status {outcome.status}: {outcome.text:.200}"
        assert_openai_error(outcome)
        assert f"gpt-{marker}" in outcome.body["error"]["message"]


@when("the embeddings endpoint is sent a million tokens", target_fixture="outcome")
def _(gateway: Gateway, marker: str) -> Outcome:
    endpoint = describe_endpoints(gateway, marker)["embeddings"]
    tokens = random.Random(0).choices(range(100_000), k=10**6)  # noqa: S311 - any will do
    return post(gateway, endpoint.path, json.dumps(endpoint.good | {"input": tokens}).encode())


# --- memory

# An edge's buffers, and what it keeps at hand for the next ones.
_KEPT_BYTES = 48 * _MIB
_RETURN_SECONDS = 20.0

_TEXTS = 50
_TEXT_BYTES = 6 * _MIB
_THINGS = 1_000_000


@pytest.fixture
def own_stack(stacks: Stacks, target: Target) -> OwnStack:
    """A gateway that is this scenario's own, LiteLLM too."""
    own = stacks.start(target.settings)
    own.stack.wait_until_ready()
    return own


@pytest.fixture
def litellm_held_bytes(own_stack: OwnStack) -> int:
    """What LiteLLM held before anything was sent."""
    return own_stack.control.stack.litellm.read_memory_bytes()


@given("a gateway that nobody else uses", target_fixture="gateway")
def _(own_stack: OwnStack, litellm_held_bytes: int) -> Gateway:  # noqa: ARG001 - measured now
    return own_stack.gateway


@given("the memory that its edge holds", target_fixture="held_bytes")
def _(gateway: Gateway) -> int:
    assert gateway.edge is not None
    return gateway.edge.read_memory_bytes()


@when(parsers.parse("every endpoint is sent 100 MB, {way}"), target_fixture="outcomes")
def _(gateway: Gateway, marker: str, way: str) -> list[Outcome]:
    endpoints = describe_endpoints(gateway, marker).values()
    return [_upload(gateway, endpoint, 100 * _MIB, way) for endpoint in endpoints]


@then("its edge has kept none of it")
def _(gateway: Gateway, held_bytes: int) -> None:
    edge = gateway.edge
    assert edge is not None
    most = held_bytes + _KEPT_BYTES
    assert wait_until(lambda: edge.read_memory_bytes() <= most, seconds=_RETURN_SECONDS), (
        f"the edge holds {edge.read_memory_bytes() // _MIB} MiB, and held {held_bytes // _MIB} before"
    )


@when("it is sent 300 MB in texts of 6 MB, for an unknown model", target_fixture="outcomes")
def _(gateway: Gateway, marker: str) -> list[Outcome]:
    endpoint = describe_endpoints(gateway, marker)["responses"]
    return [
        _upload(gateway, endpoint, _TEXT_BYTES, "with a length", model=f"gpt-{marker}") for _ in range(_TEXTS)
    ]


@when("it is sent lists of a million things", target_fixture="outcomes")
def _(gateway: Gateway, marker: str) -> list[Outcome]:
    endpoint = describe_endpoints(gateway, marker)["responses"]
    things: tuple[object, ...] = ("a", {})
    return [
        post(gateway, endpoint.path, json.dumps(endpoint.good | {endpoint.field: [thing] * _THINGS}).encode())
        for thing in things
    ]


@then("LiteLLM has kept less than it was sent")
def _(own_stack: OwnStack, litellm_held_bytes: int) -> None:
    litellm = own_stack.control.stack.litellm
    most = litellm_held_bytes + _TEXTS * _TEXT_BYTES
    assert wait_until(lambda: litellm.read_memory_bytes() < most, seconds=_RETURN_SECONDS), (
        f"LiteLLM holds {litellm.read_memory_bytes() // _MIB} MiB, and held {litellm_held_bytes // _MIB} before"
    )


@then("LiteLLM has kept more than it was sent")
def _(own_stack: OwnStack, litellm_held_bytes: int) -> None:
    # Such lists are 4 and 5 MB. Python gives memory back when it looks for what nobody needs, which is not soon.
    assert own_stack.control.stack.litellm.read_memory_bytes() > litellm_held_bytes + 30 * _MIB
