"""HTTP as it goes over the wire: for what every client library would tidy up, or would not send at all."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from urllib.parse import urlsplit

import httptools
import httpx

from aigateway.acceptance.metering import METER, MOST_TOKENS, Charge, find_address
from aigateway.acceptance.recording import RECORDER, WireExchange
from aigateway.waiting import wait_until
from steps.answers import Outcome, describe
from steps.gateway import PATIENCE_SECONDS, Gateway, LocalControl
from steps.tunnel import open_connection

_PIECE_BYTES = 64 * 1024

Headers = Collection[tuple[str, str]]


def write_request(method: str, target: str, headers: Headers = (), body: bytes = b"") -> bytes:
    """A request, with a length if it has a body, and otherwise with just the headers that are given."""
    length = [("Content-Length", str(len(body)))] if body else []
    lines = "".join(f"{name}: {value}\r\n" for name, value in [*headers, *length])
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


def charge_request(gateway: Gateway, request: bytes) -> Charge:
    """To be called before a request is sent over a connection of one's own."""
    method, target = (word.decode("latin-1") for word in request.split(b" ", 2)[:2])
    return METER.charge(find_address(gateway.base_url), method, target.partition("?")[0], request)


def find_host(gateway: Gateway) -> str:
    """What a client puts into its Host header."""
    return urlsplit(gateway.base_url).netloc


def exchange(gateway: Gateway, pieces: Iterable[bytes]) -> tuple[Outcome, ...]:
    """Send `pieces` over one connection, as long as nothing is answered, and read until the gateway closes it."""
    answers = _Answers()
    record = RECORDER.begin_wire()
    # What will be sent is not known before; hardly any of it is a request that counts against a rate limit.
    charge = METER.reserve(MOST_TOKENS)
    with connect(gateway) as connection:
        piece = _send_all(connection, pieces, record) or _receive(connection)
        while piece:
            answers.feed(piece)
            if answers.is_last:
                # Envoy would keep the line for another second, so that nobody misses the answer.
                _hang_up(connection)
            piece = _receive(connection)
    outcomes = tuple(answers.finish())
    for number, outcome in enumerate(outcomes):
        _note_answer(record if number == 0 else RECORDER.begin_wire(), charge, outcome)
    return outcomes


def _note_answer(record: WireExchange, charge: Charge, outcome: Outcome) -> None:
    content = outcome.text.encode()
    charge.settle(outcome.status, content)
    record.answer_whole(outcome.status, outcome.headers.items(), content)


def _hang_up(connection: socket.socket) -> None:
    # With TLS, the other direction would be over too.
    if not isinstance(connection, ssl.SSLSocket):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)


def request(gateway: Gateway, method: str, target: str, headers: Headers = (), body: bytes = b"") -> Outcome:
    """Send one request as it stands over a connection of its own, with a Host header if it has none."""
    named = any(name.lower() == "host" for name, _ in headers)
    own = () if named else (("Host", find_host(gateway)),)
    with connect(gateway) as connection:
        return ask(gateway, connection, write_request(method, target, (*own, *headers), body))


@contextmanager
def asking(gateway: Gateway, request: bytes) -> Iterator[socket.socket]:
    """A client that has asked, and leaves when the context ends, whatever has arrived by then."""
    charge_request(gateway, request)
    with connect(gateway) as connection:
        connection.sendall(request)
        yield connection


def leave_unanswered(gateway: Gateway, control: LocalControl, marker: str, request: bytes) -> None:
    """Send a request that carries `marker`, and leave when Azure has begun to work on it."""
    with asking(gateway, request):
        begun = wait_until(
            lambda: bool(control.azure.requests(marker=marker)), seconds=PATIENCE_SECONDS, every=0.02
        )
        assert begun, "the request did not reach Azure"


def _send_all(connection: socket.socket, pieces: Iterable[bytes], record: WireExchange) -> bytes:
    """Send until all is sent, or until the gateway says something: who has refused does not listen any more.

    Returns what it has said.
    """
    try:
        for number, piece in enumerate(pieces):
            if number and (said := _listen(connection)):
                return said
            connection.sendall(piece)
            record.send(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return b""


def _listen(connection: socket.socket) -> bytes:
    """What has come by now. That there are bytes on the line says nothing: TLS has some of its own."""
    connection.setblocking(False)
    try:
        return connection.recv(_PIECE_BYTES)
    except (BlockingIOError, ssl.SSLWantReadError):
        return b""
    finally:
        connection.settimeout(PATIENCE_SECONDS)


def ask(gateway: Gateway, connection: socket.socket, request: bytes) -> Outcome:
    """Send one request over a connection to the gateway that stays open, and read its answer."""
    answers = _Answers(to_head=request.startswith(b"HEAD "))
    record = RECORDER.begin_wire()
    charge = charge_request(gateway, request)
    _send_all(connection, [request], record)
    while not answers.complete:
        piece = _receive(connection)
        if not piece:
            break
        answers.feed(piece)
    found = answers.finish()
    if not found:
        return Outcome(0, 0.0, text="the connection was closed with no answer")
    _note_answer(record, charge, found[0])
    return found[0]


@contextmanager
def connect(gateway: Gateway) -> Iterator[socket.socket]:
    """A connection to the gateway."""
    address = urlsplit(gateway.base_url)
    secure = address.scheme == "https"
    host, port = address.hostname or "", address.port or (443 if secure else 80)
    with open_connection(address.scheme, host, port) as plain:
        if not secure:
            yield plain
            return
        with _make_tls().wrap_socket(plain, server_hostname=host) as connection:
            yield connection


@cache
def _make_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _receive(connection: socket.socket) -> bytes:
    """What comes next; nothing when the connection was closed."""
    try:
        return connection.recv(_PIECE_BYTES)
    except ConnectionResetError:
        return b""
    except TimeoutError as error:
        raise AssertionError(f"neither an answer nor an end within {PATIENCE_SECONDS:.0f} s") from error


class _Answers:
    """Reads answers one after the other; an answer to HEAD ends with its headers."""

    def __init__(self, *, to_head: bool = False) -> None:
        self._to_head = to_head
        self._parser = httptools.HttpResponseParser(self)
        self._found: list[Outcome] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""
        self._open = False

    @property
    def complete(self) -> bool:
        return bool(self._found)

    @property
    def is_last(self) -> bool:
        """Whether the gateway said that it closes the connection."""
        return bool(self._found) and self._found[-1].headers.get("connection") == "close"

    def feed(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserError as error:
            raise AssertionError(f"what the gateway sent is not HTTP: {piece[:200]!r}") from error

    def finish(self) -> list[Outcome]:
        """The answers; one that was cut off is none."""
        assert not self._open, f"an answer was cut off: {self._body[:200]!r}"
        return self._found

    # --- what httptools calls

    def on_message_begin(self) -> None:
        self._headers, self._body, self._open = [], b"", True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._to_head:
            self.on_message_complete()

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        self._open = False
        if status >= httpx.codes.OK:  # what comes before only says that an answer will come
            self._found.append(describe(httpx.Response(status, headers=self._headers, content=self._body)))
