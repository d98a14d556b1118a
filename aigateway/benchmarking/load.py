"""The load, sent by Locust: a program of its own, run by the Python of Locust's environment, where no aigateway is.

    python load.py                    orders on standard input, answers on standard output, one line of JSON each
    python load.py --listen PORT N    the same, but the load comes from N workers that join at PORT
    python load.py --join HOST:PORT   such a worker; it ends with the one that it joined

An order is what `aigateway.benchmarking.generator.Order` describes, an answer what `Answer` does. Keys come in the
environment variable AIGATEWAY_BENCH_KEYS, a JSON object, and never over the network: an order names one.

Locust itself rounds times to whole milliseconds, which is half of what a call of the simulated Azure takes, so each
time is kept as it was measured. Users call as fast as they are answered, with no pause: the closed model.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from http import HTTPStatus
from typing import Any

import gevent
from gevent.event import Event
from geventhttpclient.response import HTTPParseError
from locust import FastHttpUser, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner

_KEYS: dict[str, str] = json.loads(os.environ.get("AIGATEWAY_BENCH_KEYS", "{}"))
_TOKENS = re.compile(rb'"total_tokens": ?(\d+)')
_SHOWN_CHARACTERS = 200
_NETWORK_SECONDS = 120.0
_JOIN_SECONDS = 30.0
_PAUSE_SECONDS = 0.05


class Slice:
    """What one order came to in this process; users share it."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.started = time.perf_counter()
        self.counted_from = self.started + order["settle_seconds"]
        self.deadline = self.counted_from + order["seconds"]
        self.last_call = self.counted_from + order["most_seconds"]
        self.least = order["least"]
        self.closed: float | None = None
        self.patience = order["settle_seconds"] + order["most_seconds"] + _NETWORK_SECONDS
        self.left = order["most"]
        self.users = 0
        self.over = Event()
        self.samples: list[tuple[float, float | None]] = []
        self.within = 0
        self.served = 0
        self.failures: Counter[str] = Counter()
        self.tokens = 0
        self.ended = self.started
        key = _KEYS[order["key"]]
        self.headers = {
            **{name: value.replace("{key}", key) for name, value in order["headers"].items()},
            "Content-Type": "application/json",
            # What packing costs is not what is measured.
            "Accept-Encoding": "identity",
        }
        self.body = json.dumps(order["body"]).encode()
        self.marks = [mark.encode() for mark in order["marks"]]

    def take(self) -> bool:
        """Whether one more request may be sent: until its time is over, and enough have been answered.

        After a failure none has to be waited for: there will be no figure.
        """
        now = time.perf_counter()
        enough = self.failures or len(self.samples) >= self.least or now >= self.last_call
        if self.closed is None and now >= self.deadline and enough:
            self.closed = now
        if self.closed is not None or self.left <= 0:
            return False
        self.left -= 1
        return True

    def enter(self) -> None:
        """One more user calls."""
        self.users += 1

    def leave(self) -> None:
        """A user has nothing more to do; with the last, it is over."""
        self.users -= 1
        if not self.users:
            self.over.set()

    def note(self, began: float, first: float | None, failure: str) -> None:
        """Count a request that was answered, or not."""
        now = time.perf_counter()
        self.ended = now
        if failure:
            self.failures[failure] += 1
            return
        self.served += 1
        if self.counted_from <= now and self.closed is None:
            self.within += 1
        if began >= self.counted_from:
            self.samples.append((1000 * (now - began), None if first is None else 1000 * (first - began)))

    def report(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "within": self.within,
            "served": self.served,
            "failures": dict(self.failures),
            "tokens": self.tokens,
            "watched_seconds": max((self.closed or self.ended) - self.counted_from, 0.001),
        }


_current: Slice | None = None
_next_turn = 0.0


def _wait_for_turn(interval: float) -> None:
    """Where there is a pace, one request is sent each `interval` seconds, over all slices."""
    global _next_turn  # noqa: PLW0603 - all users of this process share it
    if not interval:
        return
    now = time.perf_counter()
    turn = max(_next_turn, now)
    _next_turn = turn + interval
    gevent.sleep(turn - now)


class Caller(FastHttpUser):  # type: ignore[misc] # Locust is not here, where types are checked
    """Calls one address again and again."""

    host = "http://127.0.0.1"
    network_timeout = _NETWORK_SECONDS
    connection_timeout = _NETWORK_SECONDS

    @task  # type: ignore[untyped-decorator] # as above
    def call(self) -> None:
        """All that one user does in a slice."""
        part = _current
        if part is not None:
            part.enter()
            try:
                while part.take():
                    _wait_for_turn(part.order["interval_seconds"])
                    self._call_once(part)
            finally:
                part.leave()
        raise StopUser

    def _call_once(self, part: Slice) -> None:
        order = part.order
        began = time.perf_counter()
        first: float | None = None
        text = b""
        with self.client.request(
            "POST",
            order["url"],
            name=order["name"],
            data=part.body,
            headers=part.headers,
            stream=order["stream"],
            catch_response=True,
        ) as response:
            try:
                failure = _find_error(response)
                if not failure:
                    first, text = _read(response, stream=order["stream"])
                    failure = _find_failure(part, response.status_code, text)
            except (OSError, HTTPParseError, gevent.Timeout) as error:
                failure = f"{type(error).__name__}: {error}"
            if failure:
                response.failure(failure)
            else:
                response.success()
                part.tokens += _count_tokens(text)
        part.note(began, first, failure[:_SHOWN_CHARACTERS])
        if failure:
            # A server that is gone answers at once, and would be asked ten thousand times a second.
            gevent.sleep(_PAUSE_SECONDS)


def _find_error(response: Any) -> str:
    """What kept an answer from coming, if none came."""
    error = getattr(response, "error", None)
    return f"{type(error).__name__}: {error}" if error is not None and not response.status_code else ""


def _read(response: Any, *, stream: bool) -> tuple[float | None, bytes]:
    if stream and response.status_code == HTTPStatus.OK:
        return _read_stream(response)
    return None, response.content or b""


def _read_stream(response: Any) -> tuple[float | None, bytes]:
    """When the first event was there, and the last ones."""
    raw = response._response  # noqa: SLF001 - the way of Locust's own iter_content
    first = None
    last: list[bytes] = []
    while line := raw.readline(b"\n"):
        if line.startswith(b"data:"):
            if first is None:
                first = time.perf_counter()
            last = [*last[-1:], line]
    return first, b"".join(last)


def _find_failure(part: Slice, status: int, text: bytes) -> str:
    if status != part.order["status"]:
        return f"status {status}: {text[:_SHOWN_CHARACTERS].decode(errors='replace')}"
    if not any(mark in text for mark in part.marks):
        return f"an answer that is none: {text[:_SHOWN_CHARACTERS].decode(errors='replace')}"
    return ""


def _count_tokens(text: bytes) -> int:
    found = _TOKENS.findall(text)
    return int(found[-1]) if found else 0


def _begin(environment: Environment, msg: Any, **_: Any) -> None:
    """The side that sends: begin a slice; the users come a moment later, and its report goes out when they are done."""
    global _current  # noqa: PLW0603 - Locust makes the users, and hands them nothing
    _current = Slice(msg.data)
    gevent.spawn(_report, environment, _current)


def _report(environment: Environment, part: Slice) -> None:
    if part.over.wait(timeout=part.patience):
        environment.runner.send_message("reported", part.report())


class Conductor:
    """The side that is told what to send, and has one or more processes send it."""

    def __init__(self, environment: Environment, workers: int) -> None:
        self._runner = environment.runner
        self._workers = workers
        self._reports: list[dict[str, Any]] = []
        self._expected = 0
        self._complete = Event()
        self._runner.register_message("reported", self._take)

    def _take(self, environment: Environment, msg: Any, **_: Any) -> None:  # noqa: ARG002 - Locust's signature
        self._reports.append(msg.data)
        if len(self._reports) >= self._expected:
            self._complete.set()

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order."""
        self._require_workers()
        self._reports.clear()
        self._complete.clear()
        # Locust gives each worker a user before it gives any a second one.
        self._expected = min(self._workers, order["users"])
        share: dict[str, float] = {name: max(order[name] // self._expected, 1) for name in ("least", "most")}
        share["interval_seconds"] = order["interval_seconds"] * self._expected
        self._runner.send_message("order", {**order, **share})
        # All users at once: the time that they would take to come would count.
        self._runner.start(order["users"], spawn_rate=order["users"])
        whole = self._complete.wait(
            timeout=order["settle_seconds"] + order["most_seconds"] + _NETWORK_SECONDS
        )
        self._runner.stop()
        if not whole:
            raise RuntimeError(
                f"{len(self._reports)} of {self._expected} of Locust's processes have reported"
            )
        return _merge(self._reports)

    def _require_workers(self) -> None:
        """A worker that has just stopped is not ready at once, and without it Locust would not start."""
        if not isinstance(self._runner, MasterRunner):
            return
        deadline = time.monotonic() + _JOIN_SECONDS
        while len(self._runner.clients.ready) < self._workers:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(self._runner.clients.ready)} of {self._workers} workers are there")
            gevent.sleep(_PAUSE_SECONDS)


def _merge(reports: list[dict[str, Any]]) -> dict[str, Any]:
    failures: Counter[str] = Counter()
    for report in reports:
        failures.update(report["failures"])
    return {
        "samples": [sample for report in reports for sample in report["samples"]],
        "within": sum(report["within"] for report in reports),
        "served": sum(report["served"] for report in reports),
        "failures": dict(failures),
        "tokens": sum(report["tokens"] for report in reports),
        "watched_seconds": max(report["watched_seconds"] for report in reports),
    }


def _make_environment() -> Environment:
    # Users end by themselves, before they are told to.
    return Environment(user_classes=[Caller], stop_timeout=1)


def _serve(environment: Environment, workers: int) -> None:
    conductor = Conductor(environment, workers)
    pool = gevent.get_hub().threadpool
    _say({"ready": workers})
    while line := pool.apply(sys.stdin.readline):
        try:
            answer = conductor.run(json.loads(line))
        except Exception as error:  # noqa: BLE001 - whatever it is, who ordered has to hear of it
            answer = {"error": f"{type(error).__name__}: {error}"}
        _say(answer)
    if isinstance(environment.runner, MasterRunner):
        environment.runner.send_message("end", None)
    environment.runner.quit()


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _listen(port: int, workers: int) -> None:
    environment = _make_environment()
    runner = environment.create_master_runner("*", port)
    parent = os.getppid()
    while len(runner.clients.ready) < workers:
        if os.getppid() != parent:  # who ordered is gone, and nobody will come
            return
        gevent.sleep(_PAUSE_SECONDS)
    _serve(environment, workers)


def _join(address: str) -> None:
    host, _, port = address.rpartition(":")
    environment = _make_environment()
    runner = environment.create_worker_runner(host, int(port))
    runner.register_message("order", _begin)
    ended = Event()
    runner.register_message("end", lambda **_: ended.set())
    # It also ends when it has not heard of the other one for a minute.
    gevent.wait([ended, gevent.spawn(runner.greenlet.join)], count=1)


def main(arguments: list[str]) -> None:
    match arguments:
        case []:
            environment = _make_environment()
            environment.create_local_runner().register_message("order", _begin)
            _serve(environment, 1)
        case ["--listen", port, workers]:
            _listen(int(port), int(workers))
        case ["--join", address]:
            _join(address)
        case _:
            sys.exit("load.py: [--listen PORT WORKERS | --join HOST:PORT]")


if __name__ == "__main__":
    main(sys.argv[1:])
