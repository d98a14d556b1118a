"""What the doctor reads before it asks: base URL, key, proxy variables, a clock; and the words of refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fake_gateways import KEY
from hypothesis import given
from hypothesis import strategies as st

from aigateway.doctor.address import judge_address, judge_key, read_address, read_key
from aigateway.doctor.answers import Answer, judge_between, judge_refusal, read_message
from aigateway.doctor.clock import judge_clock
from aigateway.doctor.proxies import find_way
from aigateway.doctor.question import find_expectations, put_question
from aigateway.doctor.results import Found
from aigateway.doctor.streams import Splitter
from aigateway.errors import AigatewayError


def get_ids(found: Found) -> list[str]:
    return [complaint.trouble.id for complaint in found.complaints]


@pytest.mark.parametrize(
    ("text", "root", "has_v1"),
    [
        ("https://gateway.example.com", "https://gateway.example.com", False),
        ("https://gateway.example.com/", "https://gateway.example.com", False),
        ("https://gateway.example.com/v1", "https://gateway.example.com", True),
        (" https://gateway.example.com/v1/ \n", "https://gateway.example.com", True),
        ("HTTPS://gateway.example.com/v1//", "https://gateway.example.com", True),
        ("gateway.example.com/v1", "https://gateway.example.com", True),
        ("https://gateway.example.com:8443/ai/v1", "https://gateway.example.com:8443/ai", True),
        ("http://[::1]:4000/v1", "http://[::1]:4000", True),
    ],
)
def test_a_base_url_is_understood(text: str, root: str, has_v1: bool) -> None:
    address = read_address(text)
    assert (address.root, address.has_v1) == (root, has_v1)
    assert judge_address(address).outcome == "ok"


@pytest.mark.parametrize(
    "end",
    ["/v1/responses", "/v1/chat/completions/", "/v1/embeddings", "/v1/v1", "/responses", "/v1/v1/models"],
)
def test_what_stands_behind_a_base_url_is_told(end: str) -> None:
    address = read_address(f"https://gateway.example.com{end}")
    assert address.root == "https://gateway.example.com"
    assert get_ids(judge_address(address)) == ["url-has-endpoint"]


def test_roo_may_name_the_endpoint_of_embeddings() -> None:
    address = read_address("https://gateway.example.com/v1/embeddings")
    assert judge_address(address, ("/v1/embeddings",)).outcome == "ok"


@pytest.mark.parametrize(
    "text",
    ["", "https://", "ftp://gateway.example.com", "http://:80", "https://a b", "https://u:p@gateway.example.com",
     "https://gateway.example.com/?key=1", "https://gateway.example.com:port", "gateway"],
)  # fmt: skip
def test_what_is_no_base_url_is_refused(text: str) -> None:
    with pytest.raises(AigatewayError, match="base URL"):
        read_address(text)


@pytest.mark.parametrize("scheme", ["http", "HTTP", "Http"])
def test_a_key_goes_unencrypted_only_to_this_machine(scheme: str) -> None:
    assert get_ids(judge_address(read_address(f"{scheme}://gateway.example.com/v1"))) == ["plain-http"]
    assert judge_address(read_address(f"{scheme}://127.0.0.1:4000/v1")).outcome == "ok"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{KEY}\n", "a line break"),
        (f"{KEY}\r\n", "a line break"),
        (f"  {KEY}", "a space"),
        (f'"{KEY}"', "a quotation mark"),
        (f"“{KEY}”", "a quotation mark"),
        (f"Bearer {KEY}", "the word Bearer"),
        (f"'bearer {KEY}' ", "a space and a quotation mark and the word Bearer"),
    ],
)
def test_what_is_around_a_key_is_told_and_left_out(text: str, said: str) -> None:
    key = read_key(text)
    assert key.value == KEY
    found = judge_key(key)
    assert get_ids(found) == ["key-untidy"]
    assert not found.blocks
    assert f"has {said} around" in found.complaints[0].said


@pytest.mark.parametrize(
    "text", [f"{KEY[:9]} {KEY[9:]}", f"{KEY}\n{KEY}", f"{KEY}é", " \n", '""', "ok", KEY[:31]]
)
def test_what_is_no_key_is_not_sent(text: str) -> None:
    key = read_key(text)
    assert key.value == ""
    found = judge_key(key)
    assert get_ids(found) == ["key-broken"]
    assert found.blocks


@given(st.text("QXZ0189_é \n", min_size=9).filter(lambda text: len(text.strip()) > 8))
def test_nothing_of_a_key_is_said_of_it(text: str) -> None:
    key = read_key(text)
    said = repr(key) + repr(judge_key(key))
    assert text.strip() not in said


_PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("variables", "proxy", "ids"),
    [
        ({}, None, []),
        ({"HTTPS_PROXY": _PROXY}, _PROXY, []),
        ({"https_proxy": "proxy.example:3128"}, _PROXY, []),
        ({"HTTP_PROXY": _PROXY}, None, []),
        ({"ALL_PROXY": _PROXY}, _PROXY, []),
        ({"https_proxy": "", "HTTPS_PROXY": _PROXY}, None, ["proxy-cases-differ"]),
        ({"https_proxy": _PROXY, "HTTPS_PROXY": _PROXY}, _PROXY, []),
        ({"HTTPS_PROXY": _PROXY, "NO_PROXY": "gw.example.com"}, None, []),
        ({"HTTPS_PROXY": _PROXY, "NO_PROXY": "localhost, GW.example.com:443"}, None, []),
        ({"HTTPS_PROXY": _PROXY, "NO_PROXY": "*"}, None, []),
        ({"HTTPS_PROXY": _PROXY, "NO_PROXY": "other.com,example.org"}, _PROXY, []),
        ({"HTTPS_PROXY": _PROXY, "NO_PROXY": "ample.com"}, _PROXY, []),
        ({"HTTPS_PROXY": _PROXY, "NO_PROXY": "example.com"}, None, ["no-proxy-ambiguous"]),
        ({"HTTPS_PROXY": _PROXY, "NO_PROXY": ".example.com"}, None, []),
        ({"HTTPS_PROXY": _PROXY, "NO_PROXY": "*.example.com"}, _PROXY, ["no-proxy-ambiguous"]),
        ({"HTTPS_PROXY": "http://proxy.example:port"}, None, ["proxy-unusable"]),
        ({"HTTPS_PROXY": "socks5h://proxy.example"}, None, ["proxy-unusable"]),
        ({"https_proxy": "http://"}, None, ["proxy-unusable"]),
    ],
)
def test_the_proxy_variables_are_read(
    variables: Mapping[str, str], proxy: str | None, ids: list[str]
) -> None:
    way = find_way(read_address("https://gw.example.com/v1"), variables)
    assert (str(way.proxy) if way.proxy else None) == proxy
    assert get_ids(way.found) == ids


def test_a_range_of_addresses_is_understood_by_some_only() -> None:
    variables = {"HTTPS_PROXY": _PROXY, "NO_PROXY": "10.0.0.0/8"}
    assert get_ids(find_way(read_address("https://10.1.2.3"), variables).found) == ["no-proxy-ambiguous"]


@pytest.mark.parametrize("login", ["me:s[cret", "me:s]cret", "me:s[cret]", "[cret]"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_login_that_cannot_be_read_is_told_and_not_shown(scheme: str, login: str) -> None:
    variables = {"HTTPS_PROXY": f"{scheme}{login}@proxy.example:3128"}
    way = find_way(read_address("https://gw.example.com/v1"), variables)
    assert get_ids(way.found) == ["proxy-unusable"]
    assert "cret" not in repr(way)


def test_a_proxys_login_is_not_shown() -> None:
    way = find_way(
        read_address("https://gw.example.com"), {"HTTPS_PROXY": "http://me:s%40cret@proxy.example:3128"}
    )
    assert "cret" not in repr(way)
    assert way.proxy
    assert way.proxy.login == ("me", "s@cret")


@pytest.mark.parametrize(
    ("hours", "ids"), [(0, []), (0.05, []), (-0.05, []), (2, ["clock-off"]), (-72, ["clock-off"])]
)
def test_a_clock_is_compared(hours: float, ids: list[str]) -> None:
    now = datetime.now(UTC)
    found = judge_clock(format_datetime(now + timedelta(hours=hours), usegmt=True), now)
    assert get_ids(found) == ids


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Fri, 27 Nov 2026 15:30:00 -0000", "Fri, 99 Nov 2026 15:30:00 GMT"]
)
def test_a_date_that_says_nothing_is_not_compared(date: str) -> None:
    assert judge_clock(date, datetime.now(UTC)).outcome == "not checked"


@pytest.mark.parametrize(
    ("status", "error", "trouble"),
    [
        (400, {"message": "/responses: Invalid model name passed in model=x."}, "model-unknown"),
        (404, {"message": "The model `x` does not exist", "code": "model_not_found"}, "model-unknown"),
        (404, {"message": "No such route.", "code": "not_found"}, "endpoint-missing"),
        (400, {"message": "Unsupported parameter: 'temperature'"}, "temperature-refused"),
        (400, {"message": "something else"}, "refused"),
        (401, {"message": "Incorrect API key"}, "key-refused"),
        (407, {"message": "login"}, "proxy-wants-login"),
        (429, {"message": "slow down"}, "rate-limited"),
        (500, {"message": "oh"}, "server-failed"),
        (504, {"message": "late"}, "unavailable"),
        (511, {"message": "sign in"}, "sent-elsewhere"),
    ],
)
def test_a_refusal_is_understood(status: int, error: Mapping[str, str], trouble: str) -> None:
    answer = Answer(status, {"x-request-id": "abc"}, json.dumps({"error": error}).encode(), 0.1)
    found = judge_refusal(answer, "/v1/responses", "gw.example.com")
    assert found
    assert get_ids(found) == [trouble]
    assert f"answers {status}: {error['message']}" in found.said
    assert "(request id abc)" in found.said or status in (407, 511)


def test_when_to_come_back_is_told() -> None:
    answer = Answer(429, {"retry-after": "26"}, b"{}", 0.1)
    found = judge_refusal(answer, "/v1/responses", "gw.example.com")
    assert found
    assert "try again after 26 s" in found.said


@given(st.integers(100, 599), st.binary(), st.sampled_from(["text/html", "application/json", ""]))
def test_no_answer_is_too_strange(status: int, body: bytes, kind: str) -> None:
    answer = Answer(status, {"content-type": kind}, body, 0.1)
    found = judge_refusal(answer, "/v1/responses", "gw.example.com")
    assert (found is None) == (200 <= status < 300 and not answer.is_page)
    assert found is None or found.complaints[0].trouble.advice
    assert read_message(answer).isprintable()


def test_who_is_in_between_is_named() -> None:
    assert judge_between({"server": "envoy"}).outcome == "ok"
    assert "squid" in judge_between({"via": "1.1 cache (squid/6)"}).said
    assert judge_between({"server": "BigIP"}).outcome == "warning"
    assert judge_between({"x-cache": "HIT"}).outcome == "warning"
    assert judge_between({"x-cache": "CONFIG_NOCACHE", "x-azure-ref": "0abc"}).outcome == "ok"


@given(st.lists(st.integers(1, 9)))
def test_events_are_found_wherever_a_stream_is_cut(cuts: list[int]) -> None:
    text = ': a comment\n\nevent: x\ndata: {"a": 1}\r\n\r\ndata:two ä\n\ndata: [DONE]\n\n'.encode()
    splitter = Splitter()
    found, place = [], 0
    for size in [*cuts, len(text)]:
        found += splitter.feed(text[place : place + size])
        place += size
    assert found == ['{"a": 1}', "two ä", "[DONE]"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("", "", "", None), ("gpt-5.3-codex", "text-embedding-3-large", 3072)),
        (("dev", "", "", None), ("gpt-5.3-codex", "text-embedding-3-large", 3072)),
        (("", "gpt-5.4", "", 1024), ("gpt-5.4", "text-embedding-3-large", 1024)),
        (("", "", "text-embedding-3-small", None), ("gpt-5.3-codex", "text-embedding-3-small", 1536)),
        # Of a model that nobody here knows, any length is right.
        (("", "", "bge-m3", None), ("gpt-5.3-codex", "bge-m3", None)),
    ],
)
def test_what_is_expected_is_found(
    arguments: tuple[str, str, str, int | None], expected: tuple[str, str, int | None]
) -> None:
    found = find_expectations(*arguments)
    assert (found.model, found.embedding_model, found.dimensions) == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("", "", "a b", None), "is no name of a model"),
        (("test", "", "", None), "there is no environment 'test'"),
    ],
)
def test_what_nobody_could_expect_is_refused(arguments: tuple[str, str, str, None], said: str) -> None:
    with pytest.raises(AigatewayError, match=said):
        find_expectations(*arguments)


def test_a_budget_of_nothing_is_refused() -> None:
    expected = find_expectations("", "", "", None)
    with pytest.raises(AigatewayError, match="lets nothing run"):
        put_question("https://gw.example.com", expected, None, 0, {"AIGATEWAY_KEY": KEY})
