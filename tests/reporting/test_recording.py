"""What is recorded of clients, of raw connections and of faults; and that nobody notices."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import httpx2
import openai
import pytest

from aigateway.acceptance import recording
from aigateway.acceptance.recording import Recorder
from aigateway.acceptance.records import Exchange, Origin, Record, Step
from aigateway.settings.leaks import MASK
from aigateway.simulator.faults import Throttled

_ORIGIN = Origin(
    uri="x.feature",
    feature="x",
    feature_line=1,
    feature_description="",
    keyword="Scenario",
    line=2,
    description="",
    tags=(),
)
_PIECE = b"data: x\n\n"
_PATIENCE_SECONDS = 30.0


@dataclass
class Server:
    """Answers /whole at once; of /stream it sends a piece whenever it is let; it breaks /broken off."""

    url: str = ""
    go_on: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    received: list[bytes] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            served.received.append(str(self.headers).encode() + body)
            self.send_response(200)
            self.send_header("x-request-id", "id-1")
            if self.path == "/stream":
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for _ in range(3):
                    served.go_on.acquire(timeout=_PATIENCE_SECONDS)
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE))
                self.wfile.write(b"0\r\n\r\n")
                return
            self.send_header("content-length", "9" if self.path == "/broken" else "2")
            self.end_headers()
            self.wfile.write(b"OK")
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    served.url = f"http://127.0.0.1:{listener.server_address[1]}"
    yield served
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def write(recorder: Recorder, *steps: Step) -> Record:
    return recorder.write(_ORIGIN, steps)


def only(recorder: Recorder) -> Exchange:
    (exchange,) = write(recorder).exchanges
    return exchange


# --- exchanges


def test_a_request_and_its_answer_are_recorded(server: Server, recorder: Recorder) -> None:
    with httpx.Client(event_hooks=recorder.hooks) as client:
        client.post(f"{server.url}/whole?a=1", json={"say": "é"}, headers={"X-Gateway-Key": "secret"})
    exchange = only(recorder)
    assert (exchange.method, exchange.path, exchange.status) == ("POST", "/whole?a=1", 200)
    assert exchange.endpoint == "POST /whole"
    assert (exchange.end, exchange.request_id) == ("whole", "id-1")
    assert exchange.request
    assert exchange.request.body.head == '{"say":"é"}'
    assert dict(exchange.request.headers)["x-gateway-key"] == MASK
    assert exchange.response
    assert (exchange.response.body.head, exchange.response.body.size) == ("OK", 2)
    assert exchange.first_byte_seconds is not None
    assert exchange.seconds is not None
    assert 0 <= exchange.first_byte_seconds <= exchange.seconds


def test_nothing_changes_on_the_wire(server: Server, recorder: Recorder) -> None:
    for hooks in ({}, recorder.hooks):
        with httpx.Client(event_hooks=hooks) as client:
            client.post(f"{server.url}/whole", json={"a": 1}, headers={"authorization": "Bearer x"})
    plain, watched = server.received
    assert plain == watched


def test_a_stream_is_handed_on_piece_by_piece(server: Server, recorder: Recorder) -> None:
    with (
        httpx.Client(event_hooks=recorder.hooks) as client,
        client.stream("POST", f"{server.url}/stream") as answer,
    ):
        pieces = answer.iter_raw()
        for _ in range(3):
            server.go_on.release()
            assert next(pieces) == _PIECE  # what comes next has not even been sent
        assert list(pieces) == []
    exchange = only(recorder)
    assert exchange.end == "whole"
    assert exchange.response
    assert exchange.response.body.head == 3 * _PIECE.decode()


def test_openais_package_is_recorded_like_any_other(server: Server, recorder: Recorder) -> None:
    http_client = openai.DefaultHttpxClient(event_hooks=recorder.hooks)
    with openai.OpenAI(base_url=server.url, api_key="k", http_client=http_client, max_retries=0) as client:
        for _ in range(3):
            server.go_on.release()
        answer = client.post("/stream", cast_to=httpx2.Response)
        assert answer.elapsed.total_seconds() > 0
    assert only(recorder).end == "whole"
    assert dict(only(recorder).request.headers)["authorization"] == MASK  # type: ignore[union-attr]


def test_asynchronous_clients_too(server: Server, recorder: Recorder) -> None:
    async def ask() -> None:
        async with httpx.AsyncClient(event_hooks=recorder.async_hooks) as client:
            await client.post(f"{server.url}/whole", content=b"x")

    asyncio.run(ask())
    assert (only(recorder).status, only(recorder).end) == (200, "whole")


def _leave(client: httpx.Client, server: Server) -> None:
    server.go_on.release(3)
    with client.stream("POST", f"{server.url}/stream") as answer:
        next(answer.iter_raw())


def _break_off(client: httpx.Client, server: Server) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(f"{server.url}/broken")


def _reach_nobody(client: httpx.Client, _: Server) -> None:
    with pytest.raises(httpx.ConnectError):
        client.post("http://127.0.0.1:1/nobody")


@pytest.mark.parametrize(
    ("do", "end", "status"),
    [(_leave, "left", 200), (_break_off, "broken", 200), (_reach_nobody, "none", None)],
)
def test_how_an_exchange_ended(
    server: Server,
    recorder: Recorder,
    do: Callable[[httpx.Client, Server], None],
    end: str,
    status: int | None,
) -> None:
    with httpx.Client(event_hooks=recorder.hooks) as client:
        do(client, server)
    exchange = only(recorder)
    assert (exchange.end, exchange.status) == (end, status)
    assert (exchange.seconds is None) == (end == "none")


def test_an_answer_that_is_still_under_way_is_recorded_as_far_as_it_got(recorder: Recorder) -> None:
    exchange = recorder.begin_exchange("POST", "/v1/responses")
    exchange.answer(200, [("x-request-id", "id-1")])
    exchange.receive(b"so far")
    record = write(recorder)
    exchange.receive(b", and on")
    exchange.finish("whole")
    assert record.exchanges[0].end == "left"
    assert record.exchanges[0].response
    assert record.exchanges[0].response.body.head == "so far"


def test_a_raw_request_is_kept_as_it_stands(recorder: Recorder) -> None:
    wire = recorder.begin_wire()
    for piece in (b"POST /v1/responses HT", b"TP/1.1\r\nAUTHORIZATION : Bearer sk-1\r\nHost: x\r\n\r\n{}"):
        wire.send(piece)
    wire.answer_whole(400, [("a", "b")], b"no")
    exchange = only(recorder)
    assert (exchange.method, exchange.path, exchange.status) == ("POST", "/v1/responses", 400)
    assert exchange.request
    assert (
        exchange.request.body.head
        == f"POST /v1/responses HTTP/1.1\r\nAUTHORIZATION : {MASK}\r\nHost: x\r\n\r\n{{}}"
    )


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"\xff\xfe\0", b"GET", b"GET /"])
def test_raw_bytes_need_not_be_a_request(recorder: Recorder, sent: bytes) -> None:
    recorder.begin_wire().send(sent)
    assert only(recorder).status is None


# --- bounds


def test_of_a_large_body_the_beginning_and_the_end_are_kept(recorder: Recorder) -> None:
    exchange = recorder.begin_exchange("POST", "/x", body=b"a" * 50_000_000)
    exchange.answer(200, ())
    for piece in (b"b" * 10_000, *[b"c"] * 10_000, b"[DONE]"):
        exchange.receive(piece)
    exchange.finish("whole")
    kept = only(recorder)
    assert kept.request
    assert kept.response
    for body, size in ((kept.request.body, 50_000_000), (kept.response.body, 20_006)):
        assert body.size == size
        assert len(body.head) == recording._HEAD_BYTES
        assert len(body.tail) == recording._TAIL_BYTES
    assert kept.response.body.tail.endswith("c[DONE]")


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 2049, 3072])
def test_a_body_that_fits_is_whole(recorder: Recorder, size: int) -> None:
    exchange = recorder.begin_exchange("POST", "/x", body=b"x" * size)
    exchange.answer_whole(200, (), b"")
    kept = only(recorder).request
    assert kept
    assert (kept.body.head, kept.body.tail) == ("x" * size, "")


def test_of_a_flood_the_first_of_each_kind_are_kept_and_all_are_counted(recorder: Recorder) -> None:
    for number in range(recording._MOST_EXCHANGES + 5):
        exchange = recorder.begin_exchange("POST", "/v1/embeddings", body=b"x" * 3000)
        exchange.answer_whole(429 if number % 2 else 200, (), b"y" * 3000)
    record = write(recorder)
    assert len(record.exchanges) == recording._MOST_EXCHANGES
    assert record.more_exchanges == 5
    detailed = [one.status for one in record.exchanges if one.request]
    assert sorted(detailed) == [200] * recording._MOST_ALIKE + [429] * recording._MOST_ALIKE
    assert len(record.model_dump_json()) < 1_000_000


def test_kinds_without_number_are_bounded_too(recorder: Recorder) -> None:
    for number in range(200):
        recorder.begin_exchange("GET", f"/{number}").answer_whole(404, (), b"")
    assert sum(one.request is not None for one in write(recorder).exchanges) == recording._MOST_DETAILED


# --- faults, steps


def test_faults_are_noted_with_what_is_special_about_them(recorder: Recorder) -> None:
    recorder.note_injection(Throttled(dialect="none", times=3), "marker1")
    (fault,) = write(recorder).injections
    assert (fault.fault, fault.marker) == ("throttled", "marker1")
    assert fault.parameters == {"dialect": "none", "times": 3}


def test_many_faults_are_counted(recorder: Recorder) -> None:
    for _ in range(recording._MOST_INJECTIONS + 3):
        recorder.note_injection(Throttled(), None)
    record = write(recorder)
    assert (len(record.injections), record.more_injections) == (recording._MOST_INJECTIONS, 3)


def test_steps_have_their_times_and_verdicts(recorder: Recorder) -> None:
    for failed in (False, True):
        recorder.begin_step()
        recorder.end_step(failed=failed)
    recorder.begin_step()
    steps = [Step(keyword="Given", text=f"step {number}", line=number) for number in range(4)]
    record = write(recorder, *steps)
    assert [step.verdict for step in record.steps] == ["passed", "failed", "skipped", "skipped"]
    assert 0 <= record.steps[0].started <= record.steps[1].started


def test_a_scenario_begins_with_nothing(recorder: Recorder) -> None:
    late = recorder.begin_exchange("POST", "/of/the/last/scenario")
    recorder.begin()
    late.answer_whole(200, (), b"")
    assert write(recorder).exchanges == ()
