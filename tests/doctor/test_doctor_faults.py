"""Every trouble of the catalogue is set up for real, and found, with what it means and what to do."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fake_gateways import (
    EMBEDDER,
    KEY,
    FakeGateway,
    answer_with,
    hang_up,
    make_error,
    make_events,
    make_vectors,
    relay,
    stream,
    stream_chat,
)
from laboratory import Lab
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from aigateway.doctor.catalogue import TROUBLES
from aigateway.doctor.results import Diagnosis, Outcome

pytest_plugins = ["laboratory_fixtures"]

FAULTS: dict[str, Callable[[Lab], Diagnosis]] = {}
CHECKS: dict[str, str] = {}

_RESPONSES = "POST /v1/responses"


def fault(trouble: str, check: str) -> Callable[[Callable[[Lab], Diagnosis]], Callable[[Lab], Diagnosis]]:
    """A trouble, and the check that finds it."""

    def note(setup: Callable[[Lab], Diagnosis]) -> Callable[[Lab], Diagnosis]:
        assert trouble not in FAULTS
        FAULTS[trouble], CHECKS[trouble] = setup, check
        return setup

    return note


def get_outcomes(diagnosis: Diagnosis) -> dict[str, Outcome]:
    return {check.id: check.outcome for check in diagnosis.checks}


# --- base URL, key, proxy ---


@fault("url-has-endpoint", "base-url")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(f"{lab.serve().url}/v1/responses")


@fault("plain-http", "base-url")
def _(lab: Lab) -> Diagnosis:
    return lab.examine("http://gateway.test/v1")


@fault("key-untidy", "key-form")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve().url, key=f' "{KEY}"\n')


@fault("key-broken", "key-form")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve().url, key=f"{KEY[:20]}\n{KEY[20:]}")


@fault("proxy-unusable", "proxy")
def _(lab: Lab) -> Diagnosis:
    return lab.examine("https://gateway.test", environment={"ALL_PROXY": "socks5://127.0.0.1:1080"})


@fault("proxy-cases-differ", "proxy")
def _(lab: Lab) -> Diagnosis:
    variables = {"https_proxy": "http://127.0.0.1:7897", "HTTPS_PROXY": "http://127.0.0.1:7899"}
    return lab.examine(lab.serve().url, environment=variables)


@fault("no-proxy-ambiguous", "proxy")
def _(lab: Lab) -> Diagnosis:
    variables = {"HTTPS_PROXY": f"http://{lab.serve_raw(relay)}", "NO_PROXY": "example.com,invalid"}
    return lab.examine("https://gateway.invalid", environment=variables)


@fault("proxy-for-this-machine", "proxy")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve().url, environment={"HTTP_PROXY": f"http://{lab.serve_raw(relay)}"})


@fault("verification-off", "proxy")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve().url, environment={"NODE_TLS_REJECT_UNAUTHORIZED": "0"})


# --- the way there ---


@fault("name-unknown", "name")
def _(lab: Lab) -> Diagnosis:
    return lab.examine("https://gateway.invalid/v1")


@fault("name-slow", "name")
def _(lab: Lab) -> Diagnosis:
    over = threading.Event()
    lab.undo.callback(over.set)
    lab.patch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60))
    return lab.examine("https://gateway.test", longest=0.2)


@fault("port-closed", "connection")
def _(lab: Lab) -> Diagnosis:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return lab.examine(f"http://127.0.0.1:{port}")


@fault("unreachable", "connection")
def _(lab: Lab) -> Diagnosis:
    # Once as many wait as may, Linux drops who comes next, as a firewall does.
    full = lab.undo.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(2):
        waiting = lab.undo.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(full.getsockname())
    return lab.examine(f"http://127.0.0.1:{full.getsockname()[1]}", longest=0.5)


@fault("proxy-wants-login", "connection")
def _(lab: Lab) -> Diagnosis:
    proxy = lab.serve_raw(
        answer_with("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\n\r\n")
    )
    return lab.examine("https://gateway.test", environment={"HTTPS_PROXY": f"http://{proxy}"})


@fault("proxy-refuses", "connection")
def _(lab: Lab) -> Diagnosis:
    proxy = lab.serve_raw(
        answer_with("HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n<html>no</html>")
    )
    return lab.examine("https://gateway.test", environment={"https_proxy": f"http://{proxy}"})


# --- TLS ---


@fault("certificate-expired", "tls")
def _(lab: Lab) -> Diagnosis:
    now = datetime.now(UTC)
    tls = lab.make_tls(not_before=now - timedelta(days=30), not_after=now - timedelta(days=1))
    lab.trust()
    return lab.examine(lab.serve(tls=tls).url)


@fault("certificate-not-yet-valid", "tls")
def _(lab: Lab) -> Diagnosis:
    now = datetime.now(UTC)
    tls = lab.make_tls(not_before=now + timedelta(days=1), not_after=now + timedelta(days=30))
    lab.trust()
    return lab.examine(lab.serve(tls=tls).url)


@fault("certificate-untrusted", "tls")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve(tls=lab.make_tls()).url)


@fault("certificate-of-another", "tls")
def _(lab: Lab) -> Diagnosis:
    lab.trust()
    return lab.examine(lab.serve(tls=lab.make_tls("other.example.com")).url)


@fault("certificate-ends-soon", "tls")
def _(lab: Lab) -> Diagnosis:
    lab.trust()
    return lab.examine(lab.serve(tls=lab.make_tls(not_after=datetime.now(UTC) + timedelta(days=3))).url)


@fault("private-authority", "tls")
def _(lab: Lab) -> Diagnosis:
    lab.trust()
    return lab.examine(lab.serve(tls=lab.make_tls()).url)


@fault("tls-not-spoken", "tls")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve().url.replace("http:", "https:"))


@fault("tls-wanted", "gateway")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve(tls=lab.make_tls()).url.replace("https:", "http:"))


@fault("tls-broken", "tls")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(f"https://{lab.serve_raw(hang_up)}")


# --- who answers ---


@fault("no-answer", "gateway")
def _(lab: Lab) -> Diagnosis:
    async def wait(*_: object) -> Response:
        await asyncio.sleep(3600)
        return JSONResponse("late")

    return lab.examine(lab.serve(FakeGateway({"GET /healthz": wait})).url, longest=0.5)


@fault("gateway-slow", "gateway")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve().url, slow_gateway=0)


@fault("connection-broke", "gateway")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(f"http://{lab.serve_raw(hang_up)}")


@fault("sent-elsewhere", "gateway")
def _(lab: Lab) -> Diagnosis:
    portal = FakeGateway(everywhere=lambda: RedirectResponse("http://login.hotel.example/?to=here", 302))
    return lab.examine(lab.serve(portal).url)


@fault("page-instead", "gateway")
def _(lab: Lab) -> Diagnosis:
    page = "<!DOCTYPE html><html><body>Access to this site is blocked by policy.</body></html>"
    return lab.examine(lab.serve(FakeGateway(everywhere=lambda: HTMLResponse(page))).url)


@fault("app-stopped", "gateway")
def _(lab: Lab) -> Diagnosis:
    page = "<html><h1>Error 404 - This Container App is stopped or does not exist.</h1></html>"
    return lab.examine(lab.serve(FakeGateway(everywhere=lambda: HTMLResponse(page, 404))).url)


@fault("no-health", "gateway")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve(FakeGateway({"GET /healthz": lambda *_: make_error(404, "none")})).url)


@fault("unavailable", "gateway")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve(FakeGateway(everywhere=lambda: make_error(503, "starting"))).url)


@fault("server-failed", "responses")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve(FakeGateway({_RESPONSES: lambda *_: make_error(500, "a fault")})).url)


@fault("clock-off", "clock")
def _(lab: Lab) -> Diagnosis:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True)
    return lab.examine(lab.serve(FakeGateway(headers={"date": date})).url)


@fault("somebody-between", "between")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve(FakeGateway(headers={"via": "1.1 proxy.example (squid/6.1)"})).url)


# --- what the gateway says ---


@fault("key-refused", "key")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve().url, key="sk-of-another-environment-0123456789")


@fault("azure-key-refused", "responses")
def _(lab: Lab) -> Diagnosis:
    said = make_error(401, "Access denied due to invalid subscription key", **{"x-azure-request-id": "abc"})
    return lab.examine(lab.serve(FakeGateway({_RESPONSES: lambda *_: said})).url)


@fault("forbidden", "responses")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve(FakeGateway({_RESPONSES: lambda *_: make_error(403, "firewall")})).url)


@fault("endpoint-missing", "embeddings")
def _(lab: Lab) -> Diagnosis:
    gateway = FakeGateway({"POST /v1/embeddings": lambda *_: make_error(404, "No such route.", "not_found")})
    return lab.examine(lab.serve(gateway).url)


@fault("model-unknown", "models")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve().url, model="gpt-5.4-codex")


@fault("deployment-missing", "responses")
def _(lab: Lab) -> Diagnosis:
    said = "The API deployment for this resource does not exist."
    return lab.examine(
        lab.serve(FakeGateway({_RESPONSES: lambda *_: make_error(404, said, "DeploymentNotFound")})).url
    )


@fault("operation-unsupported", "responses")
def _(lab: Lab) -> Diagnosis:
    said = "The chatCompletion operation does not work with the specified model, gpt-5.3-codex."
    return lab.examine(lab.serve(FakeGateway({_RESPONSES: lambda *_: make_error(400, said)})).url)


@fault("rate-limited", "embeddings")
def _(lab: Lab) -> Diagnosis:
    limit = make_error(429, "Rate limit reached.", "rate_limit_exceeded", **{"retry-after": "26"})
    return lab.examine(lab.serve(FakeGateway({"POST /v1/embeddings": lambda *_: limit})).url)


@fault("refused", "responses")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve(FakeGateway({_RESPONSES: lambda *_: make_error(413, "too large")})).url)


@fault("not-openai", "embeddings")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(
        lab.serve(FakeGateway({"POST /v1/embeddings": lambda *_: JSONResponse({"ok": 1})})).url
    )


@fault("dimensions-differ", "embeddings")
def _(lab: Lab) -> Diagnosis:
    short = FakeGateway({"POST /v1/embeddings": lambda *_: JSONResponse(make_vectors(1, 1536))})
    return lab.examine(lab.serve(short).url)


# --- streams ---


@fault("stream-buffered", "streaming")
def _(lab: Lab) -> Diagnosis:
    late = FakeGateway({_RESPONSES: lambda *_: stream(before=0.3, together=True)})
    return lab.examine(lab.serve(late).url, telling=0.1)


@fault("stream-gap", "streaming")
def _(lab: Lab) -> Diagnosis:
    halting = FakeGateway({_RESPONSES: lambda *_: stream(pause_after=7, pause=0.5)})
    return lab.examine(lab.serve(halting).url, silence=0.25)


@fault("stream-cut", "streaming")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve(FakeGateway({_RESPONSES: lambda *_: stream(make_events(end=""))})).url)


@fault("stream-unfinished", "streaming")
def _(lab: Lab) -> Diagnosis:
    endless = FakeGateway({_RESPONSES: lambda *_: stream(pause_after=7, pause=600)})
    return lab.examine(lab.serve(endless).url, longest=2)


@fault("stream-ignored", "responses")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve(FakeGateway({_RESPONSES: lambda *_: JSONResponse({"id": "resp_1"})})).url)


@fault("model-failed", "responses")
def _(lab: Lab) -> Diagnosis:
    failed = '{"type": "response.failed", "response": {"error": {"code": "x", "message": "content filter"}}}'
    events = [*make_events(end=""), failed]
    return lab.examine(lab.serve(FakeGateway({_RESPONSES: lambda *_: stream(events)})).url)


@fault("first-event-slow", "streaming")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve().url, slow_first_event=0)


# --- clients' own traps ---


@fault("url-needs-v1", "client-url")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(lab.serve().url, "codex")


@fault("url-with-v1", "client-url")
def _(lab: Lab) -> Diagnosis:
    return lab.examine(f"{lab.serve().url}/v1", "roo")


@fault("codex-sees-azure", "client-url")
def _(lab: Lab) -> Diagnosis:
    return lab.examine("https://pvc-x.azurefd.invalid/v1", "codex")


@fault("roo-model-unknown", "roo-model")
def _(lab: Lab) -> Diagnosis:
    names = JSONResponse({"data": [{"id": "house-model"}, {"id": EMBEDDER}]})
    gateway = FakeGateway({"GET /v1/models": lambda *_: names, _RESPONSES: lambda *_: stream()})
    return lab.examine(lab.serve(gateway).url, "roo", model="house-model")


@fault("roo-dimensions", "indexing")
def _(lab: Lab) -> Diagnosis:
    gateway = FakeGateway(
        {"POST /v1/embeddings": lambda _, body: JSONResponse(make_vectors(len(body["input"]), 1024))}
    )
    return lab.examine(f"{lab.serve(gateway).url}/v1", "roo-indexing", dimensions=1024)


@fault("roo-hides-errors", "roo-errors")
def _(lab: Lab) -> Diagnosis:
    gateway = FakeGateway(
        {"POST /v1/v1/responses": lambda *_: make_error(404, "No such route.", "not_found")}
    )
    return lab.examine(f"{lab.serve(gateway).url}/v1", "roo")


@fault("websocket-accepted", "websocket")
def _(lab: Lab) -> Diagnosis:
    headers = {"upgrade": "websocket", "connection": "Upgrade"}
    gateway = FakeGateway({"GET /v1/responses": lambda *_: Response(status_code=101, headers=headers)})
    return lab.examine(f"{lab.serve(gateway).url}/v1", "codex")


@fault("websocket-misrefused", "websocket")
def _(lab: Lab) -> Diagnosis:
    gateway = FakeGateway({"GET /v1/responses": lambda *_: make_error(400, "bad request")})
    return lab.examine(f"{lab.serve(gateway).url}/v1", "codex")


@fault("temperature-refused", "client-request")
def _(lab: Lab) -> Diagnosis:
    said = "Unsupported parameter: 'temperature' is not supported with this model."
    gateway = FakeGateway({"POST /v1/chat/completions": lambda *_: make_error(400, said)})
    return lab.examine(f"{lab.serve(gateway).url}/v1", "roo-compatible")


@fault("batch-incomplete", "indexing")
def _(lab: Lab) -> Diagnosis:
    gateway = FakeGateway(
        {"POST /v1/embeddings": lambda _, body: JSONResponse(make_vectors(min(16, len(body["input"]))))}
    )
    return lab.examine(f"{lab.serve(gateway).url}/v1", "roo-indexing")


@fault("base64-ignored", "indexing")
def _(lab: Lab) -> Diagnosis:
    gateway = FakeGateway(
        {
            "POST /v1/embeddings": lambda _, body: JSONResponse(
                make_vectors(len(body["input"]), in_base64=len(body["input"]) == 1)
            )
        }
    )
    return lab.examine(f"{lab.serve(gateway).url}/v1", "roo-indexing")


@fault("usage-missing", "client-request")
def _(lab: Lab) -> Diagnosis:
    gateway = FakeGateway({"POST /v1/chat/completions": lambda *_: stream_chat(usage=False)})
    return lab.examine(f"{lab.serve(gateway).url}/v1", "cline-compatible")


@fault("not-stored", "stored")
def _(lab: Lab) -> Diagnosis:
    gateway = FakeGateway({"GET /v1/responses/resp_0123456789": lambda *_: make_error(404, "not found")})
    return lab.examine(f"{lab.serve(gateway).url}/v1", "cline")


# --- the tests ---


@pytest.mark.parametrize("trouble", FAULTS)
def test_a_fault_is_found_and_nothing_else_is(lab: Lab, trouble: str) -> None:
    diagnosis = FAULTS[trouble](lab)
    check = next(check for check in diagnosis.checks if check.id == CHECKS[trouble])
    finding = next((finding for finding in check.findings if finding.id == trouble), None)
    assert finding, diagnosis.model_dump_json(indent=1)
    assert finding.seen
    assert finding.means
    assert finding.advice
    assert check.outcome == finding.severity
    assert diagnosis.exit_code == (1 if diagnosis.count("problem") else 0)
    others = {found.id for found in diagnosis.findings} - {trouble}
    assert others == _COME_ALONG.get(trouble, set())


#: What cannot be set up without another: a certificate of these tests is by nobody public, and no name leads to Azure.
_COME_ALONG = {
    "certificate-ends-soon": {"private-authority"},
    "codex-sees-azure": {"name-unknown"},
    "no-proxy-ambiguous": {"name-unknown"},
    "roo-hides-errors": {"url-with-v1"},
}


def test_every_trouble_has_its_fault() -> None:
    assert set(FAULTS) == {trouble.id for trouble in TROUBLES}


def test_a_healthy_gateway_has_no_finding(lab: Lab) -> None:
    started = time.monotonic()
    diagnosis = lab.examine(f"{lab.serve().url}/v1")
    assert diagnosis.findings == ()
    assert set(get_outcomes(diagnosis).values()) == {"ok"}
    assert diagnosis.exit_code == 0
    assert diagnosis.seconds <= time.monotonic() - started
