"""What the gateway lets through at all: routes, forms of a request, and what may be hidden in one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pytest
from pytest_bdd import given, parsers, then, when
from rich.console import Console

from aigateway.acceptance.target import Target
from aigateway.launching.app_routes import AppRoute, list_app_routes
from aigateway.launching.choice import choose_launcher
from aigateway.rendering.edge import derive_edge
from aigateway.settings.model import Settings
from steps.access import describe_credential
from steps.answers import Outcome, assert_openai_error
from steps.gateway import Gateway, LocalControl
from steps.wire import ask, connect, exchange, find_host, request, write_request

# LiteLLM 1.106.2 has 1,173. Far fewer: its routes are not found any more where they were looked for.
_FEWEST_ROUTES = 1000

# What the edge's own refusals are called; LiteLLM's have the status there, or no code at all.
_CODES = {401: "invalid_api_key", 404: "not_found"}


# --- every route of LiteLLM


@dataclass(frozen=True)
class Tried:
    """A route of LiteLLM's app, and what came back when somebody tried it."""

    route: AppRoute
    outcome: Outcome


@given("every route of LiteLLM", target_fixture="app_routes")
def _(control: LocalControl, target: Target) -> tuple[AppRoute, ...]:
    launcher = choose_launcher(control.stack.launcher, target.settings, Console(stderr=True))
    routes = list_app_routes(launcher, control.stack.litellm)
    if len(routes) < _FEWEST_ROUTES:
        raise LookupError(
            f"LiteLLM's app has only {len(routes)} routes; look at aigateway/launching/app_routes.py"
        )
    return routes


@when(parsers.parse("somebody tries each of them with {credential}"), target_fixture="tried")
def _(
    gateway: Gateway, target: Target, marker: str, app_routes: Sequence[AppRoute], credential: str
) -> list[Tried]:
    headers = describe_credential(credential, gateway, target)
    return list(_try_each(gateway, app_routes, marker, headers))


@when("a client tries each of them that is not served", target_fixture="tried")
def _(gateway: Gateway, marker: str, app_routes: Sequence[AppRoute]) -> list[Tried]:
    others = [route for route in app_routes if not _is_served(gateway.settings, route, marker)]
    return list(_try_each(gateway, others, marker, {"Authorization": f"Bearer {gateway.key}"}))


def _fill(route: AppRoute, word: str) -> str:
    """The route's path with a word in place of each parameter."""
    return re.sub(r"\{[^}]*\}", word, route.path)


def _is_served(settings: Settings, route: AppRoute, word: str) -> bool:
    path = _fill(route, word)
    return any(served.matches(route.method, path) for served in derive_edge(settings).routes)


def _try_each(
    gateway: Gateway, routes: Iterable[AppRoute], word: str, headers: Mapping[str, str]
) -> Iterable[Tried]:
    """Try one after the other over a connection that stays open: thousands, and no time for a client library."""
    head = (("Host", find_host(gateway)), ("Content-Length", "0"), *headers.items())
    with connect(gateway) as connection:
        for route in routes:
            yield Tried(
                route, ask(gateway, connection, write_request(route.method, _fill(route, word), head))
            )


@then(parsers.parse("the edge itself refuses every one with status {status:d}"))
def _(tried: Sequence[Tried], status: int) -> None:
    assert len(tried) >= _FEWEST_ROUTES * 0.9
    others = [one for one in tried if not _is_refused_by_edge(one, status)]
    assert not others, f"{len(others)} of {len(tried)}, such as {others[0]}"


def _is_refused_by_edge(one: Tried, status: int) -> bool:
    if one.outcome.status != status:
        return False
    if one.route.method == "HEAD":
        return not one.outcome.text
    return f'"code":"{_CODES[status]}"' in one.outcome.text


# --- forms of paths, methods and headers


def _write_own(gateway: Gateway, marker: str) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """A client's headers and a good body."""
    body = {"model": gateway.settings.azure.responses.model, "input": f"Reply with exactly: {marker}"}
    headers = (("Authorization", f"Bearer {gateway.key}"), ("Content-Type", "application/json"))
    return headers, json.dumps(body).encode()


@when(parsers.parse("a client with a valid key sends {method} {path}"), target_fixture="outcome")
def _(gateway: Gateway, marker: str, method: str, path: str) -> Outcome:
    headers, body = _write_own(gateway, marker)
    return request(
        gateway, method, path, headers, body if method.upper() in {"POST", "PUT", "PATCH"} else b""
    )


@then("the gateway does not serve it")
def _(outcome: Outcome) -> None:
    assert outcome.status in {400, 404}, f"status {outcome.status}: {outcome.text:.200}"
    assert_openai_error(outcome)


@when(parsers.parse("a client asks for the path {path} with {header}"), target_fixture="outcome")
def _(gateway: Gateway, path: str, header: str) -> Outcome:
    key = ("Authorization", f"Bearer {gateway.key}")
    return request(gateway, "GET", path, (key, _split(header)))


@when(parsers.parse("a stranger asks for the path {path} with {header}"), target_fixture="outcome")
def _(gateway: Gateway, path: str, header: str) -> Outcome:
    return request(gateway, "GET", path, (_split(header),))


def _split(header: str) -> tuple[str, str]:
    name, _, value = header.partition(": ")
    return name, value


@then("it is told which models there are, and no more")
def _(outcome: Outcome, gateway: Gateway) -> None:
    assert outcome.status == 200, f"status {outcome.status}: {outcome.text:.200}"
    # LiteLLM's /model/info lists them too, with Azure's address.
    assert "litellm_params" not in outcome.text
    azure = gateway.settings.azure
    assert {model["id"] for model in outcome.body["data"]} == {azure.responses.model, azure.embeddings.model}


@when(parsers.parse("somebody sends two keys, {order}"), target_fixture="outcome")
def _(gateway: Gateway, marker: str, order: str) -> Outcome:
    (valid, form), body = _write_own(gateway, marker)
    wrong = "sk-of-nobody-at-all-but-long-enough"
    wrong_bearer = ("Authorization", f"Bearer {wrong}")
    keys = {
        "the valid one first": (valid, wrong_bearer),
        "the valid one last": (wrong_bearer, valid),
        "the valid one in Authorization, another in the gateway's own header": (
            valid,
            ("x-gateway-key", wrong),
        ),
        "both in the gateway's own header, the valid one last": (
            ("x-gateway-key", wrong),
            ("x-gateway-key", gateway.key),
        ),
    }
    return request(gateway, "POST", "/v1/responses", (*keys[order], form), body)


@when(parsers.parse("a client's request comes with {much}"), target_fixture="outcome")
def _(gateway: Gateway, marker: str, much: str) -> Outcome:
    headers, body = _write_own(gateway, marker)
    long = "a" * 100 * 1024
    more, path = {
        "a header of 100 KiB": ([("X-Long", long)], ""),
        "200 headers": ([(f"X-{number}", "a") for number in range(200)], ""),
        "a path of 100 KiB": ([], f"/{long}"),
        "the name of a second host": ([("Host", "elsewhere.example")], ""),
        "a note that its body is packed, which it is not": ([("Content-Encoding", "gzip")], ""),
    }[much]
    return request(gateway, "POST", f"/v1/responses{path}", (*headers, *more), body)


# --- requests hidden in requests


@dataclass(frozen=True)
class Trick:
    """A request that another can be hidden in: what differs from a good one."""

    headers: Sequence[str]
    body: bytes
    line: str = "POST /v1/responses HTTP/1.1"
    end: str = "\r\n"
    host: str | None = None

    def write(self, own: Iterable[str]) -> bytes:
        """The request, with the headers `own` that every request has."""
        lines = (self.line, *own, *self.headers, "", "")
        return self.end.join(lines).encode() + self.body


def _length(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


def _chunk(content: bytes, size: str = "", trailer: str = "") -> bytes:
    """One chunk, of which `size` is said, and the last."""
    return f"{size or f'{len(content):x}'}\r\n".encode() + content + f"\r\n0\r\n{trailer}\r\n".encode()


_CHUNKED = "Transfer-Encoding: chunked"


def _double(hidden: bytes) -> bytes:
    """A body that is all of it for who counts bytes, and over before the hidden request for who counts chunks."""
    return b"0\r\n\r\n" + hidden


def _with_length(*headers: str) -> Callable[[bytes], Trick]:
    """The body's true length, and more."""
    return lambda hidden: Trick((_length(_double(hidden)), *headers), _double(hidden))


def _with(*headers: str, **more: str) -> Callable[[bytes], Trick]:
    """No true length."""
    return lambda hidden: Trick(headers, _double(hidden), **more)


def _in_chunks(write: Callable[[bytes], bytes]) -> Callable[[bytes], Trick]:
    return lambda hidden: Trick((_CHUNKED,), write(hidden))


def _in_body(line: str, *headers: str) -> Callable[[bytes], Trick]:
    """Hidden in a body of the right length."""
    return lambda hidden: Trick((_length(hidden), *headers), hidden, line)


#: By the name that the features use; each is given the request to hide.
_TRICKS: Mapping[str, Callable[[bytes], Trick]] = {
    "a length and chunks": _with_length(_CHUNKED),
    "chunks named twice": _with(_CHUNKED, _CHUNKED),
    "chunks among other codings": _with("Transfer-Encoding: gzip, chunked"),
    "a coding that is almost chunks": _with_length("Transfer-Encoding: xchunked"),
    "chunks after a vertical tab": _with_length("Transfer-Encoding: \x0bchunked"),
    "chunks named on a folded line": lambda hidden: Trick(("Transfer-Encoding:", " chunked"), _chunk(hidden)),
    "a length and chunks on a folded line": _with_length("Transfer-Encoding:", " chunked"),
    "chunks within a folded header": _with_length("X-Folded: a", " Transfer-Encoding: chunked"),
    "chunks behind a bare carriage return": _with_length(f"X-Broken: a\r{_CHUNKED}"),
    "chunks behind a bare line feed": _with_length(f"X-Broken: a\n{_CHUNKED}"),
    "a space before the colon": _with_length("Transfer-Encoding : chunked"),
    "a header before the first one": lambda hidden: Trick(
        (_length(_double(hidden)),), _double(hidden), line=f"POST /v1/responses HTTP/1.1\r\n {_CHUNKED}"
    ),
    "two lengths": _with_length("Content-Length: 0"),
    "the same length twice": lambda hidden: Trick((_length(hidden),) * 2, hidden),
    "a list of lengths": lambda hidden: Trick((f"{_length(hidden)}, {len(hidden)}",), hidden),
    "a length with a sign": lambda hidden: Trick((f"Content-Length: +{len(hidden)}",), hidden),
    "a length in hexadecimal": lambda hidden: Trick((f"Content-Length: {len(hidden):#x}",), hidden),
    "a negative length": _with("Content-Length: -1"),
    "a length beyond all numbers": _with(f"Content-Length: {10**30}"),
    "a chunk without a size": _in_chunks(lambda hidden: _chunk(b"", "none") + hidden),
    "a chunk of a negative size": _in_chunks(lambda hidden: _chunk(b"", "-1") + hidden),
    "a chunk beyond all numbers": _in_chunks(lambda hidden: _chunk(b"", "f" * 17) + hidden),
    "a chunk that is longer than it says": _in_chunks(lambda hidden: _chunk(b"12345678", "5") + hidden),
    "a chunk with no end of its line": _in_chunks(lambda hidden: b"8\r\n123456780\r\n\r\n" + hidden),
    "a chunk with a line feed in its extension": _in_chunks(
        lambda hidden: _chunk(b"12345678", "8;a\nb") + hidden
    ),
    "chunks that end in bare line feeds": _in_chunks(lambda hidden: b"8\n12345678\n0\n\n" + hidden),
    "headers after the last chunk": _in_chunks(
        lambda hidden: _chunk(hidden, trailer=f"Content-Length: 0\r\n{_CHUNKED}\r\n")
    ),
    "lines that end in bare line feeds": lambda hidden: Trick((_length(hidden),), hidden, end="\n"),
    "a body for an unserved path": _in_body("POST /nowhere HTTP/1.1"),
    "a body for a path that takes none": _in_body("GET /v1/models HTTP/1.1"),
    "a body that waits to be asked for": _in_body("POST /nowhere HTTP/1.1", "Expect: 100-continue"),
    "a zero byte in a header": _with_length("X-Zero: a\x00b"),
    "HTTP/1.0": _in_body("POST /v1/responses HTTP/1.0"),
    "HTTP/1.0 and chunks": _with(_CHUNKED, line="POST /v1/responses HTTP/1.0"),
    "HTTP/0.9": _with(line="GET /v1/models"),
    "HTTP/2": _with(line="PRI * HTTP/2.0\r\n\r\nSM\r\n"),
    "an upgrade to HTTP/2": _in_body("POST /nowhere HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c"),
    "a version that is none": _in_body("POST /v1/responses HTTPS/1.1"),
    "no host": lambda hidden: Trick((_length(hidden),), hidden, host=""),
    "a host that is none": lambda hidden: Trick((_length(hidden),), hidden, host="Host: a b/c@d"),
}


@pytest.fixture
def next_request(gateway: Gateway) -> bytes:
    """What a client sends next over the same connection."""
    headers = [("Host", find_host(gateway)), ("Authorization", f"Bearer {gateway.key}")]
    return write_request("GET", "/v1/models", [*headers, ("Connection", "close")])


@when(parsers.parse("a client hides a request by {trick}"), target_fixture="answers")
def _(gateway: Gateway, marker: str, next_request: bytes, trick: str) -> tuple[Outcome, ...]:
    headers, body = _write_own(gateway, marker)
    host = ("Host", find_host(gateway))
    chosen = _TRICKS[trick](write_request("POST", "/v1/responses", (host, *headers), body))
    own = [f"{name}: {value}" for name, value in headers]
    first = f"{host[0]}: {host[1]}" if chosen.host is None else chosen.host
    return exchange(gateway, [chosen.write([first, *own] if first else own) + next_request])


@then("nothing of it is served, and the next request gets its own answer")
def _(gateway: Gateway, answers: Sequence[Outcome], next_request: bytes) -> None:
    assert answers, "no answer"
    first, *rest = answers
    assert 400 <= first.status < 500, f"status {first.status}: {first.text:.200}"
    assert_openai_error(first)
    if first.headers.get("connection") == "close":
        assert not rest, f"more was answered: {rest}"
        # What the connection to LiteLLM is worth now, only another client's request can show.
        rest = list(exchange(gateway, [next_request]))
    assert [one.status for one in rest] == [200], f"not one answer of its own: {rest}"
    assert rest[0].body["object"] == "list", f"another request's answer: {rest[0].text:.200}"
