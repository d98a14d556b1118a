"""No secret gets past the one place that takes them out."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest

from aigateway.acceptance.records import Excerpt, Message
from aigateway.acceptance.redaction import Redactor, hide_lines, hide_values
from aigateway.settings.leaks import MASK

KEY = "sk-" + "Zz9yX8wV7u" * 4
ODD = """a"b<c>&d'e\\f/g+h=i~j"""
AZURE = "0123456789abcdef" * 2

REDACTOR = Redactor(frozenset({KEY, ODD, ""}), frozenset({"127.0.0.1:43210"}))


@pytest.mark.parametrize(
    "form", [lambda key: key, lambda key: json.dumps(key)[1:-1], html.escape, lambda key: quote(key, safe="")]
)
@pytest.mark.parametrize("key", [KEY, ODD])
def test_a_key_is_masked_however_it_is_written(key: str, form: object) -> None:
    text = f"before {form(key)}after"  # type: ignore[operator]
    assert REDACTOR.redact(text) == f"before {MASK}after"


@pytest.mark.parametrize(("start", "end"), [(0, 20), (0, 8), (5, 30), (23, None), (35, None)])
def test_a_piece_of_a_key_is_masked_too(start: int, end: int | None) -> None:
    piece = KEY[start:end]
    assert piece not in REDACTOR.redact(f"said '{piece}…")
    assert REDACTOR.redact(f"said '{piece}…").startswith("said '")


@pytest.mark.parametrize(
    "text", [f"sk-{'a1_-' * 6}", AZURE, "Ab1" * 28, "my.openai.azure.com", "x-y.services.ai.azure.com"]
)
def test_what_only_looks_like_a_key_or_azures_address_is_masked(text: str) -> None:
    assert Redactor().redact(f"({text})") == f"({MASK})"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "host.docker.internal", "[::1]", "172.17.0.1"])
def test_the_simulated_azures_address_is_masked_under_every_name(host: str) -> None:
    assert REDACTOR.redact(f"http://{host}:43210/openai") == f"http://{MASK}/openai"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing secret here",
        "127.0.0.1:432",
        "168ef856-5506-42c4-a14f-8bb52050f47b",
        f"sha256:{AZURE}{AZURE}",
        "marker60ff846c407f",
        "Send this environment's key as 'Authorization: Bearer KEY' or as 'x-gateway-key: KEY'.",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert REDACTOR.redact(text) == text


def test_every_text_of_a_model_is_redacted() -> None:
    message = Message(headers=((KEY, KEY),), body=Excerpt(head=f"a {KEY}", tail=KEY, size=3))
    assert REDACTOR.redact_model(message) == Message(
        headers=((MASK, MASK),), body=Excerpt(head=f"a {MASK}", tail=MASK, size=3)
    )


@pytest.mark.parametrize("name", ["Authorization", "x-gateway-key", "API-KEY", "Set-Cookie"])
def test_some_headers_are_never_shown(name: str) -> None:
    assert hide_values([(name, "anything"), ("x-request-id", "1")]) == ((name, MASK), ("x-request-id", "1"))
    raw = f"POST / HTTP/1.1\r\nHost: x\r\n{name}: anything\r\nx-a: b\r\n\r\n"
    assert hide_lines(raw) == raw.replace("anything", MASK)
