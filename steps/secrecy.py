"""What must stay unseen: people's words and keys in the logs, and the gateway's inside in its answers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import httpx
import pytest
from pytest_bdd import given, parsers, then, when
from rich.console import Console

from aigateway.acceptance.target import Target
from aigateway.launching.choice import choose_launcher
from aigateway.launching.edits import Edit
from aigateway.launching.keys import GatewayKeys
from aigateway.rendering.edge import PATIENCE_SECONDS as EDGE_PATIENCE_SECONDS
from aigateway.settings.model import Settings
from aigateway.simulator.faults import (
    CutStream,
    Failing,
    Fault,
    HungUp,
    MalformedBody,
    SilentStream,
    SlowFirstByte,
)
from aigateway.waiting import wait_until
from steps.access_log import wait_for_lines
from steps.answers import Outcome, describe
from steps.gateway import Edges, Gateway, LocalControl, connect_http
from steps.messages import Message, add_headers, send, write_headers, write_request
from steps.trouble import Asked

_ALWAYS = 1000
_DONE_SECONDS = 20.0
_TOO_LATE = "takes ten seconds"
_CUT = "breaks its streams off"
_EVENTS_WITH_PIECE = 6
# So long Azure waits before it breaks off: LiteLLM, which has everything to answer at once, has handed on the piece.
_CUT_SECONDS = 5.0
_STREAMS = 2

#: What Azure can do to every request of a scenario.
_DEEDS: Mapping[str, Fault | None] = {
    "answers": None,
    "refuses, and repeats what it read": Failing(status=400, echo_prompt=True, times=_ALWAYS),
    "throttles, and repeats it": Failing(status=429, echo_prompt=True, times=_ALWAYS),
    "fails, and repeats it": Failing(status=500, echo_prompt=True, times=_ALWAYS),
    "gives up waiting, and repeats it": Failing(status=408, echo_prompt=True, times=_ALWAYS),
    _CUT: CutStream(_EVENTS_WITH_PIECE, _CUT_SECONDS, times=_ALWAYS),
    "answers with half of its JSON": MalformedBody(times=_ALWAYS),
    "hangs up": HungUp(times=_ALWAYS),
    _TOO_LATE: SlowFirstByte(seconds=10, times=_ALWAYS),
}


@dataclass(frozen=True)
class Sent:
    """Requests that all hold `word`, which stands nowhere else, how each ended, and the log of an edge that is gone."""

    word: str
    outcomes: tuple[Outcome, ...]
    edge_log: str = field(default="", repr=False)


def write_everything(gateway: Gateway, word: str) -> tuple[Message, ...]:
    """A prompt, source code and the output of a tool, in every way in which clients send them."""
    tool = [
        {"role": "user", "content": "What is in the file?"},
        {"type": "function_call", "call_id": "call_1", "name": "read_file", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": word},
    ]
    return (
        *(
            write_request(gateway, operation, word, stream=stream)
            for operation in ("an answer", "a chat completion")
            for stream in (False, True)
        ),
        write_request(gateway, "an answer", word, input=tool),
        write_request(gateway, "embeddings", word),
    )


def write_mistake(gateway: Gateway, word: str, mistake: str) -> Message:
    """A request of a client that does something wrong, by the name that the features use."""
    good = write_request(gateway, "an answer", word)
    return {
        "half of its JSON": replace(good, content=good.content[:-3]),
        "a prompt where a list belongs": write_request(gateway, "a chat completion", word, messages=word),
        "metadata that is a text": write_request(gateway, "embeddings", word, metadata=word),
        "a field that is the operator's": write_request(gateway, "an answer", word, api_key=word),
        "the name of no model": write_request(gateway, "an answer", word, model=word),
        "a wrong key": replace(good, headers={"Authorization": f"Bearer sk-{word}"}),
        "a valid key in another header": replace(good, headers={"api-key": gateway.key}),
        "a key and a prompt in the query": replace(good, path=f"{good.path}?key={gateway.key}&prompt={word}"),
        "a prompt as a path": Message(f"/{word}", method="GET"),
        "a prompt as the id of an answer": Message(f"/v1/responses/resp_{word}", method="GET"),
        "a text of 3 MB to embed": write_request(gateway, "embeddings", word, input=word * 180_000),
        "the wish for a WebSocket": add_headers(
            gateway,
            Message("/v1/responses", method="GET"),
            {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
        ),
        "200 headers": add_headers(gateway, good, {f"X-{number}": word for number in range(200)}),
    }[mistake]


def _send_everything(gateway: Gateway, control: LocalControl, word: str, deed: str) -> Callable[[], Sent]:
    """Begin to send everything, while Azure does that to it; returns how to wait for the end."""
    fault = _DEEDS[deed]
    if fault:
        control.azure.inject(fault, marker=word)
    messages = write_everything(gateway, word)
    pool = ThreadPoolExecutor(len(messages))
    answers = [pool.submit(send, gateway, message) for message in messages]

    def wait() -> Sent:
        with pool:
            sent = Sent(word, tuple(answer.result() for answer in answers))
        sent = replace(sent, edge_log=_read_edge_log(gateway, control, sent))
        faults = {request.fault for request in control.azure.requests(marker=word)}
        assert (fault.kind if fault else None) in faults, f"Azure did nothing of the kind: {faults}"
        if deed == _CUT:
            _require_pieces(sent)
        return sent

    return wait


def _require_pieces(sent: Sent) -> None:
    """Of both kinds of streams a piece had been handed on when Azure broke off."""
    streams = [outcome for outcome in sent.outcomes if _is_stream(outcome)]
    assert len(streams) == _STREAMS, f"only {len(streams)} of {_STREAMS} streams had begun"
    for outcome in streams:
        assert sent.word in outcome.text, f"no piece had arrived: {outcome.text:.500}"


def _is_stream(outcome: Outcome) -> bool:
    return outcome.headers.get("content-type", "").startswith("text/event-stream")


def _read_edge_log(gateway: Gateway, control: LocalControl, sent: Sent) -> str:
    """Read the edge's log once every request has left its line there, and none is under way at Azure: LiteLLM may
    have something to say of an answer that nobody waits for any more."""

    def is_done() -> bool:
        return all(request.duration is not None for request in control.azure.requests(marker=sent.word))

    assert gateway.edge is not None
    wait_for_lines(gateway.edge, {outcome.headers["x-request-id"] for outcome in sent.outcomes})
    assert wait_until(is_done, seconds=_DONE_SECONDS), "Azure is still at work"
    return gateway.edge.read_log()


def _read_litellm_log(gateway: Gateway, control: LocalControl) -> str:
    """Read LiteLLM's log once it has answered another request: what it still had to say of the last one is said."""
    another = send(gateway, Message("/v1/models", method="GET"))
    assert another.status == 200, f"status {another.status}: {another.text:.300}"
    return control.stack.litellm.read_log()


@pytest.fixture
def litellm_printed(target: Target) -> int:
    """How much LiteLLM had printed before a client's mistake, where this can be known."""
    return len(target.stack.litellm.read_log()) if target.stack else 0


@pytest.fixture(scope="session")
def sent_while(target: Target, control: LocalControl) -> dict[str, Sent]:
    """Everything that is sent, by what Azure does meanwhile: at once, on an edge of its own, for all scenarios of a
    process."""
    with ExitStack() as undo:
        gateway = Edges(control, undo).start(_hurry(target.settings))
        waits = {
            deed: _send_everything(gateway, control, f"secret{secrets.token_hex(6)}", deed)
            for deed in _DEEDS
            if deed != _TOO_LATE
        }
        return {deed: wait() for deed, wait in waits.items()}


def _hurry(settings: Settings) -> Settings:
    """The same, but a client may ask for all that there is, and nothing is tried again."""
    changed = {
        "limits": settings.limits.model_copy(update={"client_share": 1.0}),
        "retries": settings.retries.model_copy(update={"attempts": 1}),
    }
    return settings.model_copy(update=changed)


@given("a gateway that waits four seconds for Azure", target_fixture="gateway")
def _(edges: Edges, target: Target) -> Gateway:
    timeouts = target.settings.timeouts
    whole = {timeouts.responses_seconds, timeouts.embeddings_seconds}
    impatient = [
        Edit(file="envoy.yaml", find=f" timeout: {seconds + EDGE_PATIENCE_SECONDS}s\n", put=" timeout: 4s\n")
        for seconds in whole
    ]
    return edges.start(target.settings, edits=impatient)


@given(parsers.parse("an edge that comes to LiteLLM with {key}"), target_fixture="gateway")
def _(edges: Edges, target: Target, key: str) -> Gateway:
    values = {"another key": f"Bearer sk-{secrets.token_urlsafe(32)}", "no key": ""}
    edit = Edit(file="envoy.yaml", find="Bearer ${LITELLM_MASTER_KEY}", put=values[key])
    return edges.start(_hurry(target.settings), edits=[edit])


@when(
    parsers.re(
        rf"a prompt, source code and the output of a tool are sent in every way, and Azure (?P<does>(?!{_TOO_LATE}).+)"
    ),
    target_fixture="sent",
)
def _(sent_while: dict[str, Sent], does: str) -> Sent:
    return sent_while[does]


@when(
    f"a prompt, source code and the output of a tool are sent in every way, and Azure {_TOO_LATE}",
    target_fixture="sent",
)
def _(gateway: Gateway, control: LocalControl, marker: str) -> Sent:
    return _send_everything(gateway, control, marker, _TOO_LATE)()


@when(parsers.re(r"a client wrongly sends (?P<mistake>(?!\d+ requests).+)"), target_fixture="sent")
def _(gateway: Gateway, marker: str, mistake: str, litellm_printed: int) -> Sent:  # noqa: ARG001 - measured now
    return Sent(marker, (send(gateway, write_mistake(gateway, marker, mistake)),))


@when(parsers.re(r"a client wrongly sends (?P<count>\d+) requests at once"), target_fixture="sent")
def _(gateway: Gateway, marker: str, count: str) -> Sent:
    message = write_request(gateway, "an answer", marker)
    with ThreadPoolExecutor(int(count)) as pool:
        return Sent(marker, tuple(pool.map(lambda _: send(gateway, message), range(int(count)))))


@when("a client leaves in the middle of its stream", target_fixture="sent")
def _(gateway: Gateway, control: LocalControl, marker: str) -> Sent:
    control.azure.inject(SilentStream(after_events=6, seconds=_DONE_SECONDS), marker=marker)
    _, message, *_ = write_everything(gateway, marker)
    with connect_http().stream(
        message.method,
        f"{gateway.base_url}{message.path}",
        content=message.content,
        headers=write_headers(gateway, message),
    ) as answer:
        first = next(answer.iter_text())
    left = httpx.Response(answer.status_code, headers=answer.headers, text=first)
    return Sent(marker, (describe(left),))


@then(parsers.parse("it is told {status:d}"))
def _(sent: Sent, status: int) -> None:
    assert [outcome.status for outcome in sent.outcomes] == [status], sent.outcomes[0].text[:300]


@then(parsers.parse("each of them is told {status:d}"))
def _(sent: Sent, status: int) -> None:
    assert {outcome.status for outcome in sent.outcomes} == {status}


@then(parsers.parse("some of them are told {status:d}"))
def _(sent: Sent, status: int) -> None:
    assert status in {outcome.status for outcome in sent.outcomes}


@then("it is refused")
def _(outcome: Outcome) -> None:
    assert 400 <= outcome.status < 600, f"status {outcome.status}"


@then("no log holds any of it, or a key")
def _(gateway: Gateway, control: LocalControl, sent: Sent) -> None:
    edge_log = sent.edge_log or _read_edge_log(gateway, control, sent)
    for part, log in {"Envoy": edge_log, "LiteLLM": _read_litellm_log(gateway, control)}.items():
        assert sent.word not in log, f"{part}'s log holds what was sent"
        for name, key in _list_keys(control.keys).items():
            assert key not in log, f"{part}'s log holds {name}"


@then("LiteLLM's log says where it stumbled")
def _(gateway: Gateway, control: LocalControl, litellm_printed: int) -> None:
    new = _read_litellm_log(gateway, control)[litellm_printed:]
    assert "Traceback" in new, "LiteLLM's log holds no new traceback: the deviation is gone"


def _list_keys(keys: GatewayKeys) -> dict[str, str]:
    own = {"the Azure key": keys.azure, "LiteLLM's master key": keys.master, "LiteLLM's salt": keys.salt}
    return {**keys.clients, **own}


#: Words that only the inside says: what of it they show.
_INSIDE = {
    "Traceback": "where a program stumbled",
    "site-packages": "where a program is",
    " object at 0x": "an object of a program's",
    "has no attribute": "an error of a program's",
    "uvicorn": "LiteLLM's server",
}
_INSIDE_HEADERS = ("x-litellm-", "llm_provider-", "x-ms-", "azureml-", "apim-")
# A deployed gateway's answers come through the platform's ingress, which is an Envoy too.
_EDGE_HEADERS = ("x-envoy-",)
# What a traceback holds, and what tells a stream of chat completions.
_FILE_NAMES = ("Traceback", "site-packages")
_CHAT_PIECE = "chat.completion.chunk"
_COST = re.compile(r'"\w*cost\w*":\s*(?!null|0[,}])')


# How the hosts end under which Azure answers.
_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")


@dataclass(frozen=True)
class Inside:
    """What this run knows of the inside: how Azure is called, keys by their names, and the name of the server, where
    nothing stands before it."""

    addresses: Collection[str]
    keys: Mapping[str, str] = field(repr=False)
    server: str = ""


@pytest.fixture
def inside(target: Target) -> Inside:
    """Of a deployed gateway no more is known than its own client knows."""
    stack = target.stack
    if stack is None:
        return Inside(_AZURE, {"the client's key": target.key})
    launcher = choose_launcher(stack.launcher, target.settings, Console(stderr=True))
    # Where Azure is, as this machine and as LiteLLM call it.
    urls = (stack.simulator_url, launcher.url_for_parts(stack.simulator_url))
    addresses = {urlsplit(url).netloc for url in urls}
    return Inside(addresses, _list_keys(stack.keys), target.settings.project)


@then("no answer shows what stands behind the gateway")
def _(inside: Inside, sent: Sent) -> None:
    for outcome in sent.outcomes:
        assert_closed(inside, outcome)


@then("none is shown what stands behind the gateway")
def _(inside: Inside, asked_at_once: Iterable[Asked]) -> None:
    for asked in asked_at_once:
        assert_closed(inside, asked.outcome)


@then(
    "no answer shows what stands behind the gateway, but for the file names in one error of a chat completion"
)
def _(inside: Inside, sent: Sent) -> None:
    """A declared deviation; when it is gone, this fails and docs/deviations.md loses a line."""
    excused = [outcome for outcome in sent.outcomes if _breaks_off_chat(outcome)]
    assert len(excused) == 1, f"not one chat completion with a traceback: {excused}"
    for outcome in sent.outcomes:
        assert_closed(inside, outcome, _FILE_NAMES if outcome in excused else ())


def _breaks_off_chat(outcome: Outcome) -> bool:
    """Whether it is a stream of chat completions whose error holds a traceback."""
    return _is_stream(outcome) and _CHAT_PIECE in outcome.text and "Traceback" in outcome.text


def assert_closed(inside: Inside, outcome: Outcome, excused: Collection[str] = ()) -> None:
    """Nothing of the inside stands in an answer, but for `excused` words."""
    shown = "\n".join([outcome.text, *(f"{name}: {value}" for name, value in outcome.headers.items())])
    found = [address for address in inside.addresses if address in shown]
    assert not found, f"Azure's address: {outcome}"
    for word in _INSIDE.keys() - set(excused):
        assert word not in shown, f"{_INSIDE[word]}: {outcome}"
    for name, key in inside.keys.items():
        assert key not in shown, f"{name} stands in an answer"
    assert not _COST.search(outcome.text), f"a cost: {outcome}"
    prefixes = (*_INSIDE_HEADERS, *(_EDGE_HEADERS if inside.server else ()))
    headers = [name for name in outcome.headers if name.startswith(prefixes)]
    assert not headers, f"headers of the inside: {headers}"
    server = outcome.headers.get("server")
    assert inside.server in ("", server), f"the server calls itself {server}"
