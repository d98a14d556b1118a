"""Answers, judged by status, headers and body: pure functions, which know nothing of how the answer came."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aigateway.doctor.catalogue import (
    APP_STOPPED,
    AZURE_KEY_REFUSED,
    BASE64_IGNORED,
    BATCH_INCOMPLETE,
    DEPLOYMENT_MISSING,
    DIMENSIONS_DIFFER,
    ENDPOINT_MISSING,
    FORBIDDEN,
    GATEWAY_SLOW,
    KEY_REFUSED,
    MODEL_UNKNOWN,
    NO_HEALTH,
    NOT_OPENAI,
    OPERATION_UNSUPPORTED,
    PAGE_INSTEAD,
    PROXY_WANTS_LOGIN,
    RATE_LIMITED,
    REFUSED,
    ROO_DIMENSIONS,
    SENT_ELSEWHERE,
    SERVER_FAILED,
    SOMEBODY_BETWEEN,
    TEMPERATURE_REFUSED,
    TLS_WANTED,
    UNAVAILABLE,
    WEBSOCKET_ACCEPTED,
    WEBSOCKET_MISREFUSED,
    Trouble,
)
from aigateway.doctor.results import Complaint, Found, complain

_MOST_QUOTED = 240

# What the gateway itself, Container Apps, and Azure's Front Door call themselves.
_EXPECTED_SERVERS = re.compile(r"(?i)^(aigateway|envoy|istio-envoy|uvicorn|)$")
_BETWEEN = ("via", "x-cache", "x-squid-error", "x-bluecoat-via", "x-zscaler-id", "cf-ray", "x-proxy-id")

_BY_STATUS: dict[int, Trouble] = {
    401: KEY_REFUSED,
    403: FORBIDDEN,
    404: ENDPOINT_MISSING,
    405: ENDPOINT_MISSING,
    407: PROXY_WANTS_LOGIN,
    429: RATE_LIMITED,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
    511: SENT_ELSEWHERE,
}
_BY_WORDS: tuple[tuple[re.Pattern[str], Trouble], ...] = (
    (re.compile(r"(?i)operation does not work with|OperationNotSupported"), OPERATION_UNSUPPORTED),
    (re.compile(r"(?i)DeploymentNotFound|deployment for this resource does not exist"), DEPLOYMENT_MISSING),
    (
        re.compile(
            r"(?i)model_not_found|invalid model name|model [`'\"]?\S+[`'\"]? (does not exist|not found)"
        ),
        MODEL_UNKNOWN,
    ),
    (
        re.compile(
            r"(?i)'temperature'|temperature.{0,40}(unsupported|not supported)|unsupported.{0,40}temperature"
        ),
        TEMPERATURE_REFUSED,
    ),
)


@dataclass(frozen=True)
class Answer:
    """What came: header names are in lower case; `seconds` to its last byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        """The body, for reading."""
        return self.body.decode("utf-8", "replace")

    @property
    def is_page(self) -> bool:
        """Whether it is a web page."""
        kind = self.headers.get("content-type", "").lower()
        return "html" in kind or self.body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))

    @property
    def json(self) -> Any:
        """The body as JSON; nothing where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def read_message(answer: Answer) -> str:
    """What an error says, in one short line without anything that a terminal would obey."""
    content = answer.json
    error = content.get("error") if isinstance(content, dict) else None
    said = error.get("message") if isinstance(error, dict) else error or answer.text
    text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", str(said or ""), flags=re.DOTALL | re.IGNORECASE)
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text[: _MOST_QUOTED - 1] + "…" if len(text) > _MOST_QUOTED else text


def describe(answer: Answer, path: str) -> str:
    """Status, message, and by what the answer is found in a log."""
    message = read_message(answer)
    request = answer.headers.get("x-request-id", "")
    wait = answer.headers.get("retry-after", "") if answer.status == 429 else ""
    parts = (
        f"{path} answers {answer.status}",
        f": {message}" if message else "",
        f" (try again after {wait} s)" if wait.isdigit() else "",
        f" (request id {request[:64]})" if request.isascii() and request.isprintable() and request else "",
    )
    return "".join(parts)


def judge_refusal(answer: Answer, path: str, host: str) -> Found | None:
    """What is wrong with an answer that is no success; nothing where it is one."""
    strange = _judge_stranger(answer, path, host)
    if strange:
        return strange
    if 200 <= answer.status < 300:
        return None
    said = describe(answer, path)
    if answer.status in (400, 404, 422):
        code = str(_read_code(answer))
        for words, trouble in _BY_WORDS:
            if words.search(f"{code} {answer.text[:4000]}"):
                return complain(trouble, said)
    # The gateway hands on Azure's own refusal of the gateway's key; a client's key never gets there.
    if answer.status == 401 and "x-azure-request-id" in answer.headers:
        return complain(AZURE_KEY_REFUSED, said)
    fallback = SERVER_FAILED if answer.status >= 500 else REFUSED
    return complain(_BY_STATUS.get(answer.status, fallback), said)


def _read_code(answer: Answer) -> Any:
    content = answer.json
    error = content.get("error") if isinstance(content, dict) else None
    return error.get("code") if isinstance(error, dict) else ""


def _judge_stranger(answer: Answer, path: str, host: str) -> Found | None:
    """Whether somebody else than a gateway answers."""
    if 300 <= answer.status < 400:
        where = answer.headers.get("location", "")
        shown = "".join(letter for letter in where.partition("?")[0] if letter.isprintable())[:_MOST_QUOTED]
        upgrades = where.lower().startswith(f"https://{host.lower()}")
        return complain(
            TLS_WANTED if upgrades else SENT_ELSEWHERE,
            f"{path} answers {answer.status}, to {shown or 'nowhere'}",
        )
    if answer.status in (407, 511):
        return complain(_BY_STATUS[answer.status], describe(answer, path))
    if answer.status == 400 and b"plain http request was sent to https port" in answer.body.lower():
        return complain(TLS_WANTED, describe(answer, path))
    if not answer.is_page:
        return None
    if "Container App is stopped or does not exist" in answer.text:
        return complain(APP_STOPPED, describe(answer, path))
    # Balancers and proxies say so with a page.
    if answer.status in (502, 503, 504):
        return complain(UNAVAILABLE, describe(answer, path))
    return complain(PAGE_INSTEAD, describe(answer, path))


def judge_health(answer: Answer, host: str, slow_seconds: float) -> Found:
    """Whether /healthz answers as a gateway does."""
    if answer.status in (401, 404, 405) and not answer.is_page:
        return complain(NO_HEALTH, describe(answer, "/healthz"))
    if found := judge_refusal(answer, "/healthz", host):
        return found
    said = f"/healthz answers {answer.status} after {answer.seconds:.2f} s"
    return complain(GATEWAY_SLOW, said) if answer.seconds > slow_seconds else Found(said)


def judge_between(headers: Mapping[str, str]) -> Found:
    """Whether somebody between here and the gateway says so."""
    # Azure's Front Door says in x-cache that it cached nothing.
    expected = {"x-cache"} if "x-azure-ref" in headers else set()
    signs = [f"{name}: {headers[name]}" for name in _BETWEEN if name in headers and name not in expected]
    server = headers.get("server", "")
    if not _EXPECTED_SERVERS.match(server):
        signs.append(f"server: {server}")
    if not signs:
        return Found(f"nobody; server: {server}" if server else "nobody")
    shown = "; ".join("".join(letter for letter in sign if letter.isprintable())[:80] for sign in signs)
    return complain(SOMEBODY_BETWEEN, shown)


def read_models(answer: Answer) -> tuple[str, ...] | None:
    """The names in an answer of /v1/models; nothing where it is none."""
    content = answer.json
    try:
        return tuple(str(model["id"]) for model in content["data"])
    except (TypeError, LookupError):
        return None


def judge_models(served: tuple[str, ...], wanted: tuple[str, ...]) -> Found:
    """Whether all that is wanted is served."""
    listed = ", ".join(served[:20]) or "none at all"
    missing = [name for name in wanted if name not in served]
    if missing:
        return complain(MODEL_UNKNOWN, f"not {', '.join(missing)}; it serves {listed}")
    return Found(listed)


def judge_vectors(
    answer: Answer, count: int, dimensions: int | None, roo_dimensions: int | None = None
) -> Found:
    """Whether an answer holds so many vectors, in order, of the right length, and of the one that Roo insists on."""
    vectors = _read_vectors(answer)
    if vectors is None:
        return complain(
            NOT_OPENAI, f"/v1/embeddings answers {answer.status} with no vectors: {read_message(answer)}"
        )
    places, lengths, in_base64 = vectors
    said = f"{len(places)} of {count} vectors, of {' and '.join(map(str, sorted(set(lengths))))} numbers"
    complaints = []
    if places != list(range(count)):
        complaints.append(
            Complaint(BATCH_INCOMPLETE, said if len(places) != count else f"{said}, out of order")
        )
    if len(set(lengths)) > 1 or (dimensions and lengths and lengths[0] != dimensions):
        complaints.append(Complaint(DIMENSIONS_DIFFER, f"{said}; expected: {dimensions or 'one length'}"))
    if roo_dimensions and set(lengths) - {roo_dimensions}:
        complaints.append(Complaint(ROO_DIMENSIONS, f"{said}; to Roo, this model's have {roo_dimensions}"))
    if not in_base64:
        complaints.append(Complaint(BASE64_IGNORED, "they are lists of numbers"))
    return Found(f"{said}, {answer.seconds:.2f} s", tuple(complaints))


def _read_vectors(answer: Answer) -> tuple[list[int], list[int], bool] | None:
    """Places, lengths, and whether all came as base64."""
    try:
        items = answer.json["data"]
        places = [int(item["index"]) for item in items]
        vectors = [item["embedding"] for item in items]
        lengths = [
            len(b64decode(vector, validate=True)) // 4 if isinstance(vector, str) else len(vector)
            for vector in vectors
        ]
    except (TypeError, LookupError, ValueError, Base64Error):
        return None
    return places, lengths, all(isinstance(vector, str) for vector in vectors)


def judge_upgrade(answer: Answer, host: str) -> Found:
    """Whether a WebSocket is refused as Codex wants it."""
    said = f"GET /v1/responses with an Upgrade answers {answer.status}"
    if answer.status == 426:
        return Found("refused with 426")
    if answer.status == 101:
        return complain(WEBSOCKET_ACCEPTED, said)
    if answer.status in (401, 429):
        return judge_refusal(answer, "GET /v1/responses", host) or Found(said)
    return complain(WEBSOCKET_MISREFUSED, said)
