"""What the edge's access log says of a request: each field, where Envoy takes it from, and what it means.

docs/access-log.md is made from this. No path, query, header or body of the client's stands in a line: any of them can
hold a key or source code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from aigateway.settings.values import ENVIRONMENTS

PATH = PurePosixPath("docs/access-log.md")

#: Where filters of the edge note what the log needs of an answer: how a stream ended, and whether Azure was asked.
NAMESPACE = "answer"
STREAM = "stream"
ASKED = "asked"

_NOTES = f"metadata.filter_metadata['{NAMESPACE}']"
_DETAILS = "response.code_details"


def _noted(key: str, condition: str = "") -> str:
    """Whether there is a note of that name, and the condition holds for it."""
    present = f"'{NAMESPACE}' in metadata.filter_metadata && '{key}' in {_NOTES}"
    return f"({present} && {_NOTES}['{key}'] {condition})" if condition else f"({present})"


# Who is to blame, in CEL; the first condition that holds decides, and when none does it was the edge.
_BLAME = (
    # Codex closes the connection as soon as it has its answer.
    ("", _noted(STREAM, "in ['completed', 'incomplete']")),
    ("client", f"{_DETAILS}.startsWith('downstream_')"),
    # With status 200 the stream itself says so.
    ("azure", _noted(STREAM, "== 'failed'")),
    # It ended before it said how.
    ("litellm", _noted(STREAM)),
    ("", f"{_DETAILS} == 'via_upstream' && response.code < 400"),
    ("azure", "'x-azure-request-id' in response.headers"),
    # Azure was asked and gave no answer that LiteLLM could read.
    ("azure", f"{_noted(ASKED)} && (response.code >= 500 || response.code == 408)"),
    ("litellm", f"{_DETAILS} == 'via_upstream'"),
    # The edge's own limit on parallel requests is a reset, too.
    ("edge", f"{_DETAILS}.contains('overflow')"),
    ("litellm", f"{_DETAILS}.startsWith('upstream_')"),
    # With 408 it was the request that did not come.
    ("litellm", f"{_DETAILS} in ['response_timeout', 'stream_idle_timeout'] && response.code != 408"),
)


_ANY_ENVIRONMENT = ENVIRONMENTS[0]
_PAGE = """\
# The access log

<!-- Generated from aigateway/rendering/access_log.py by `aigateway docs`; edit it there, not here. -->

Envoy writes one line of JSON to its standard output for each request, also for one that it cannot read, when the
request has ended. LiteLLM writes none. In Azure the lines are in Log Analytics, in `ContainerAppConsoleLogs`, each in
the column `Log`; the queries of `infra/modules/aigateway_aca/queries/` read them.

| Field | Unit | Meaning |
|---|---|---|
{rows}
No path, query, header or body of a client's stands in a line.

## Counting

| what | how |
|---|---|
| requests | lines, but for `route == "health"` |
| latency | `duration_ms`; of streams, also `first_byte_ms` |
| 4xx, 5xx, 429 | `status`; 429 of the gateway's own limits: `failed == "edge"`, of Azure's: `failed == "azure"` |
| failures behind the gateway | `failed` is `azure` or `litellm`, also with status 200: the stream broke off |
| such failures that were tried again | the sum of `attempts - 1` where `attempts > 1` |
"""


@dataclass(frozen=True)
class LogField:
    """A field of a line; `operator` is Envoy's, or a text that is the same in every line."""

    name: str
    operator: str
    unit: str
    meaning: str


def list_fields(environment: str) -> tuple[LogField, ...]:
    """The fields of a line, in their order."""
    return (
        LogField("time", "%START_TIME%", "ISO 8601, UTC", "when the request began"),
        LogField("environment", environment, "", "whose gateway it is"),
        LogField("route", "%ROUTE_NAME%", "", "what was asked for; null when the request was unreadable"),
        LogField("client", "%REQ(x-gateway-client)%", "", "whose key it was; null without a valid one"),
        LogField("method", "%REQ(:METHOD)%", "", "the HTTP method"),
        LogField(
            "status",
            "%RESPONSE_CODE%",
            "",
            "the status that the client got; 0 when it left before there was one",
        ),
        LogField(
            "failed",
            f"%CEL({_name_blamed()})%",
            "",
            "who refused the request, or left it without a whole answer: `edge`, `litellm`, `azure`, or "
            "`client`, which went away; empty when it was served",
        ),
        LogField(
            "stream",
            f"%DYNAMIC_METADATA({NAMESPACE}:{STREAM})%",
            "",
            "how a streamed answer ended: `completed`, `incomplete` (at its token limit), `failed`, or `in_progress`: "
            "it was cut; null when it was no stream, or one of chat completions that did not fail",
        ),
        LogField(
            "details",
            "%RESPONSE_CODE_DETAILS%",
            "",
            "Envoy's word for the reason; `via_upstream`: LiteLLM's answer",
        ),
        LogField("flags", "%RESPONSE_FLAGS%", "", "Envoy's flags, `-` for none; `URX`: every attempt failed"),
        LogField("duration_ms", "%DURATION%", "ms", "from the request's first byte to the answer's last"),
        LogField(
            "first_byte_ms",
            "%RESPONSE_DURATION%",
            "ms",
            "from the request's first byte to the answer's first, retries included; null when LiteLLM gave none",
        ),
        LogField(
            "attempts",
            "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
            "",
            "how often LiteLLM was asked; all but the last failed",
        ),
        LogField("request_bytes", "%BYTES_RECEIVED%", "bytes", "the request's body, as far as it arrived"),
        LogField("response_bytes", "%BYTES_SENT%", "bytes", "the answer's body, as it was sent"),
        LogField(
            "request_id",
            "%REQ(x-request-id)%",
            "",
            "the same as in the answer's `x-request-id`; null when the request was unreadable",
        ),
        LogField(
            "azure_request_id", "%RESP(x-azure-request-id)%", "", "Azure's own id of it, for its support"
        ),
    )


def render_access_log() -> str:
    """The whole text of docs/access-log.md."""
    rows = (
        f"| `{field.name}` | {field.unit} | {field.meaning} |\n" for field in list_fields(_ANY_ENVIRONMENT)
    )
    return _PAGE.format(rows="".join(rows))


def _name_blamed() -> str:
    choices = "".join(f"{condition} ? '{name}' : " for name, condition in _BLAME)
    return f"{choices}'edge'"
