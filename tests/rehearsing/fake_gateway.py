"""A gateway on 127.0.0.1 that answers as a test says, and a clock whose waits take no time."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: The number of a request, from 0, and its body; gives the status of the answer.
Script = Callable[[int, dict[str, Any]], int]


@dataclass
class FakeClock:
    """Time passes only where somebody waits for it, and not before `sleepers` do; `slept` are the waits, in seconds."""

    time: float = 1000.0
    sleepers: int = 1
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        end = self.time + seconds
        async with asyncio.timeout(30):
            while len(self.slept) < self.sleepers:  # noqa: ASYNC110 - what comes over a socket is waited for
                await asyncio.sleep(0.001)
        self.time = max(self.time, end)


@dataclass
class FakeGateway:
    """What it was sent, and how many requests were open at once at most."""

    script: Script
    base_url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    peak: int = 0
    #: When set, requests wait until so many are open at once.
    gather: int = 0
    _open: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> int:
        """Note a request and say how it is answered."""
        with self._changed:
            number = len(self.bodies)
            self.paths.append(path)
            self.bodies.append(body)
            self.headers.append(headers)
            self._open += 1
            self.peak = max(self.peak, self._open)
            self._changed.notify_all()
            if self.gather and len(body["input"]) > 1:
                self._changed.wait_for(lambda: self.peak >= self.gather, timeout=30)
        return self.script(number, body)

    def leave(self) -> None:
        """An answer is out."""
        with self._changed:
            self._open -= 1


@contextmanager
def serve(script: Script, *, gather: int = 0) -> Iterator[FakeGateway]:
    """Run one on a free port."""
    gateway = FakeGateway(script, gather=gather)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = gateway.take(self.path, headers, body)
            vectors = [
                {"object": "embedding", "index": n, "embedding": "AACAPw=="}
                for n in range(len(body["input"]))
            ]
            good = {
                "object": "list",
                "data": vectors,
                "model": "m",
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            }
            bad = {"error": {"message": f"scripted {status}", "type": "t", "param": None, "code": "c"}}
            data = json.dumps(good if status == 200 else bad).encode()
            gateway.leave()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            # OpenAI's package waits just so long; left to itself it would be half a second.
            self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        gateway.base_url = f"http://127.0.0.1:{server.server_port}"
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
