"""A run as a whole: what is not checked and why, what it takes, what it sends, and what it shows."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fake_gateways import KEY, MODEL, FakeGateway, answer_with, make_error, make_events, relay, stream
from laboratory import Lab
from starlette.responses import HTMLResponse, JSONResponse, Response

from aigateway.doctor.clients import CLIENT_NAMES, CLIENTS, DEFAULT_TOKENS, ClientName
from aigateway.doctor.results import Diagnosis, list_lines

pytest_plugins = ["laboratory_fixtures"]

_YESTERDAY = datetime.now(UTC) - timedelta(days=1)
_AGES_AGO = _YESTERDAY - timedelta(days=90)


def get_check(diagnosis: Diagnosis, name: str) -> tuple[str, str]:
    return next((check.outcome, check.said) for check in diagnosis.checks if check.id == name)


async def _never(*_: object) -> Response:
    await asyncio.sleep(3600)
    return JSONResponse("late")


@pytest.mark.parametrize("client", CLIENT_NAMES)
def test_a_healthy_gateway_has_no_finding_with_any_client(lab: Lab, client: ClientName) -> None:
    gateway = lab.serve()
    end = "/v1" if CLIENTS[client].form == "with /v1" else ""
    diagnosis = lab.examine(f"{gateway.url}{end}", client, token_budget=DEFAULT_TOKENS)
    assert diagnosis.findings == ()
    assert diagnosis.exit_code == 0
    assert 0 < diagnosis.tokens <= diagnosis.tokens_at_most <= DEFAULT_TOKENS


def test_what_depends_on_a_failure_is_not_checked_and_says_why(lab: Lab) -> None:
    diagnosis = lab.examine("https://gateway.invalid/v1", "codex")
    assert get_check(diagnosis, "name")[0] == "problem"
    for check, reason in (
        ("connection", "'name' failed"),
        ("tls", "'connection' was not checked"),
        ("responses", "'key' was not checked"),
        ("websocket", "'key' was not checked"),
    ):
        assert get_check(diagnosis, check) == ("not checked", reason)
    assert get_check(diagnosis, "client-url")[0] == "ok"
    assert diagnosis.exit_code == 1
    assert diagnosis.tokens == 0


@pytest.mark.parametrize(
    "setup",
    [
        lambda lab: lab.serve(tls=lab.make_tls()),
        lambda lab: lab.trust() or lab.serve(tls=lab.make_tls("other.example.com")),
        lambda lab: lab.trust() or lab.serve(tls=lab.make_tls(not_before=_AGES_AGO, not_after=_YESTERDAY)),
    ],
    ids=["untrusted", "of another", "expired"],
)
def test_the_key_is_sent_to_nobody_whose_certificate_is_wrong(lab: Lab, setup: object) -> None:
    assert callable(setup)
    gateway: FakeGateway = setup(lab)
    lab.examine(gateway.url)
    assert {key for _, key in gateway.asked} <= {""}


def test_a_certificate_says_who_is_in_between(lab: Lab) -> None:
    diagnosis = lab.examine(lab.serve(tls=lab.make_tls()).url)
    assert "it is for localhost, by Inspecting Proxy Ltd" in get_check(diagnosis, "tls")[1]


def test_a_certificate_that_signed_itself_is_trusted_by_nobody(lab: Lab) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lab.authority.private_key_pem.write_to_path(lab.folder / "key.pem")
    context.load_cert_chain(lab.root_file, lab.folder / "key.pem")
    diagnosis = lab.examine(lab.serve(tls=context).url)
    assert [finding.id for finding in diagnosis.findings] == ["certificate-untrusted"]
    assert get_check(diagnosis, "tls")[1].startswith("self-signed certificate; it is for ")


@pytest.mark.parametrize("what", ["GET /v1/models", "POST /v1/responses", "POST /v1/embeddings"])
@pytest.mark.parametrize("status", [200, 403])
def test_a_page_is_told_wherever_it_comes(lab: Lab, what: str, status: int) -> None:
    page = "<html><style>a {}</style><body>Blocked by <b>policy</b> 7</body></html>"
    blocked = FakeGateway({what: lambda *_: HTMLResponse(page, status)})
    diagnosis = lab.examine(lab.serve(blocked).url)
    assert [finding.id for finding in diagnosis.findings] == ["page-instead"]
    assert f"answers {status}: Blocked by policy 7" in diagnosis.findings[0].seen


def test_node_clients_take_a_private_authority_when_they_are_told(lab: Lab) -> None:
    lab.trust()
    gateway = lab.serve(tls=lab.make_tls())
    diagnosis = lab.examine(gateway.url, environment={"NODE_EXTRA_CA_CERTS": str(lab.root_file)})
    assert diagnosis.findings == ()


def test_a_file_of_certificates_that_is_not_there_is_as_good_as_none(lab: Lab) -> None:
    lab.trust()
    gateway = lab.serve(tls=lab.make_tls())
    diagnosis = lab.examine(gateway.url, environment={"NODE_EXTRA_CA_CERTS": "/nowhere.pem"})
    assert [finding.id for finding in diagnosis.findings] == ["private-authority"]


def test_tls_goes_through_a_proxy(lab: Lab) -> None:
    lab.trust()
    gateway = lab.serve(tls=lab.make_tls())
    variables = {
        "HTTPS_PROXY": f"http://user:pass%20word@{lab.serve_raw(relay)}",
        "NODE_EXTRA_CA_CERTS": str(lab.root_file),
    }
    diagnosis = lab.examine(gateway.url, environment=variables)
    assert [finding.id for finding in diagnosis.findings] == ["proxy-for-this-machine"]
    assert get_check(diagnosis, "streaming")[0] == "ok"
    assert "pass" not in diagnosis.model_dump_json().replace("passes", "")


def test_a_proxy_that_wants_a_login_only_for_requests_is_told_too(lab: Lab) -> None:
    proxy = lab.serve_raw(
        answer_with("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    )
    diagnosis = lab.examine("http://127.0.0.1:9", environment={"http_proxy": f"http://{proxy}"})
    assert "proxy-wants-login" in {finding.id for finding in diagnosis.findings}


def test_no_run_lasts_longer_than_its_deadline(lab: Lab) -> None:
    gateway = FakeGateway({"POST /v1/responses": _never, "POST /v1/embeddings": _never})
    url = lab.serve(gateway).url
    started = time.monotonic()
    diagnosis = lab.examine(url, deadline=2)
    assert time.monotonic() - started < 20
    assert get_check(diagnosis, "embeddings") == ("not checked", "the 2 s of a run were over")
    assert get_check(diagnosis, "key")[0] == "ok"
    assert diagnosis.exit_code == 2
    # Nobody knows what a request that was sent has cost.
    assert diagnosis.tokens == diagnosis.tokens_at_most > 0


def test_independent_checks_run_side_by_side(lab: Lab) -> None:
    together = asyncio.Barrier(2)

    async def wait(_: object, body: dict[str, object]) -> Response:
        async with asyncio.timeout(30):
            await together.wait()
        return stream() if body["model"] == MODEL else make_error(404, "none")

    gateway = FakeGateway({"POST /v1/responses": wait, "POST /v1/embeddings": wait})
    diagnosis = lab.examine(lab.serve(gateway).url)
    assert get_check(diagnosis, "streaming")[0] == "ok"


@pytest.mark.parametrize("budget", [1, 100, 700, 1_200])
def test_no_run_costs_more_than_its_budget(lab: Lab, budget: int) -> None:
    gateway = lab.serve()
    diagnosis = lab.examine(f"{gateway.url}/v1", "codex", token_budget=budget)
    assert diagnosis.tokens <= diagnosis.tokens_at_most <= budget
    left_out = [check for check in diagnosis.checks if "--token-budget" in check.said]
    assert left_out
    assert {check.outcome for check in left_out} == {"not checked"}
    assert diagnosis.exit_code == 2
    costly = sum(what.startswith("POST") for what, _ in gateway.asked)
    assert costly == 3 - len(left_out)


def test_what_a_gateway_echoes_of_the_key_is_not_shown(lab: Lab) -> None:
    echo = FakeGateway({"GET /v1/models": lambda *_: make_error(401, f"Incorrect API key provided: {KEY}.")})
    diagnosis = lab.examine(lab.serve(echo).url)  # which looks for the key
    assert "[not shown]" in get_check(diagnosis, "key")[1]


def test_what_a_stranger_says_cannot_command_the_terminal(lab: Lab) -> None:
    rude = FakeGateway({"POST /v1/embeddings": lambda *_: make_error(418, "\x1b[2J\x07 red\u202etxt")})
    diagnosis = lab.examine(lab.serve(rude).url)
    assert all(line.isprintable() for line in list_lines(diagnosis))


def test_where_the_model_is_not_served_roo_may_know_another(lab: Lab) -> None:
    diagnosis = lab.examine(lab.serve().url, "roo", model="house-model")
    assert get_check(diagnosis, "models")[0] == "problem"
    assert get_check(diagnosis, "roo-model") == ("ok", f"Roo knows {MODEL}")


def test_an_answer_that_the_doctor_left_is_deleted(lab: Lab) -> None:
    gateway = lab.serve()
    lab.examine(f"{gateway.url}/v1", "openai")
    assert "DELETE /v1/responses/resp_0123456789" in {what for what, _ in gateway.asked}


def test_a_stream_with_a_length_was_collected(lab: Lab) -> None:
    text = "".join(f"data: {event}\n\n" for event in make_events())
    collected = FakeGateway({"POST /v1/responses": lambda *_: Response(text, media_type="text/event-stream")})
    diagnosis = lab.examine(lab.serve(collected).url)
    assert [finding.id for finding in diagnosis.findings] == ["stream-buffered"]


def test_a_slow_start_is_no_buffering(lab: Lab) -> None:
    slow = FakeGateway({"POST /v1/responses": lambda *_: stream(before=0.3)})
    diagnosis = lab.examine(lab.serve(slow).url, telling=0.1)
    assert diagnosis.findings == ()


def test_a_stream_whose_connection_breaks_is_told(lab: Lab) -> None:
    event = make_events()[0]
    chunk = f"data: {event}\n\n"
    cut = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"{len(chunk):x}\r\n{chunk}\r\n"
    )

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"POST /v1/responses" in head:
            writer.write(cut.encode())
            return
        body = b'{"data": [{"id": "gpt-5.3-codex"}, {"id": "text-embedding-3-large"}]}'
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    diagnosis = lab.examine(f"http://{lab.serve_raw(handle)}")
    assert get_check(diagnosis, "streaming")[0] == "problem"
    seen = {finding.id: finding.seen for finding in diagnosis.findings}
    assert seen["stream-cut"] == "the connection broke after 1 events, without response.completed"


def test_an_expired_certificate_and_a_wrong_clock_are_told_apart(lab: Lab) -> None:
    now = datetime.now(UTC)
    lab.trust()
    tls = lab.make_tls(not_before=now - timedelta(days=30), not_after=now - timedelta(days=1))
    then = format_datetime(now - timedelta(days=9), usegmt=True)
    diagnosis = lab.examine(lab.serve(FakeGateway(headers={"date": then}), tls).url)
    assert [finding.id for finding in diagnosis.findings] == ["certificate-expired", "clock-off"]
    assert "9.0 days ahead" in diagnosis.findings[1].seen


def test_a_port_that_is_closed_at_each_address_of_a_name_is_closed(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = [
        (family, socket.SOCK_STREAM, 6, "", (host, port))
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2"))
    ]
    lab.patch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    diagnosis = lab.examine(f"https://gateway.test:{port}")
    assert [finding.id for finding in diagnosis.findings] == ["port-closed"]


@pytest.mark.parametrize("said", ["", "SSH-2.0-OpenSSH_9.6\r\n", "x" * 200_000])
def test_a_proxy_that_is_none_is_told(lab: Lab, said: str) -> None:
    proxy = lab.serve_raw(answer_with(said))
    diagnosis = lab.examine("https://gateway.test", environment={"HTTPS_PROXY": f"http://{proxy}"})
    assert [finding.id for finding in diagnosis.findings] == ["proxy-refuses"]
