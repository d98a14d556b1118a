"""What is asked: the requests of a load, as the gateway takes them and as Azure does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from aigateway.settings.model import Settings

WorkloadName = Literal["responses", "stream", "embeddings", "refusal"]

WORKLOADS: dict[WorkloadName, str] = {
    "responses": "POST /v1/responses, answered whole",
    "stream": "POST /v1/responses, streamed",
    "embeddings": "POST /v1/embeddings, a batch of an indexing assistant's",
    "refusal": "POST /v1/responses, refused by Azure with 400",
}

#: What is measured unless something else is asked for.
USUAL_WORKLOADS: tuple[WorkloadName, ...] = ("responses", "stream", "embeddings")

#: What Roo sends at once when it indexes, and of what size (docs: 60 segments of 50-1000 characters).
_SEGMENTS = 60
_SEGMENT = (
    "def total(prices: list[float]) -> float:\n    return sum(price for price in prices if price > 0)\n"
)

_INSTRUCTIONS = "You are a coding assistant. Answer in one short sentence. " * 20

#: The least that Azure takes.
_OUTPUT_TOKENS = 16


@dataclass(frozen=True)
class Request:
    """One request of a load. `{key}` in a header stands for a key; a whole answer has `status` and one of `marks`."""

    url: str
    headers: dict[str, str]
    body: dict[str, Any]
    stream: bool
    marks: tuple[str, ...]
    most_tokens: int
    """What it may cost at most, by a cautious guess: no token has fewer than one byte."""
    status: int = 200


def ask_gateway(workload: WorkloadName, settings: Settings, base_url: str) -> Request:
    """A request of `workload` to an OpenAI-compatible gateway at `base_url`, which has no /v1."""
    model = _name_model(workload, settings, of="model")
    return _make(workload, f"{base_url}{_path(workload)}", {"Authorization": "Bearer {key}"}, model)


def ask_azure(workload: WorkloadName, settings: Settings, base_url: str) -> Request:
    """The same, said to the Azure at `base_url` as LiteLLM says it."""
    azure = settings.azure
    model = _name_model(workload, settings, of="deployment")
    if workload == "embeddings":
        path = f"/openai/deployments/{model}/embeddings?api-version={azure.embeddings.api_version}"
    else:
        path = f"/openai/responses?api-version={azure.responses.api_version}"
    return _make(workload, base_url + path, {"api-key": "{key}"}, model)


def _path(workload: WorkloadName) -> str:
    return "/v1/embeddings" if workload == "embeddings" else "/v1/responses"


def _name_model(workload: WorkloadName, settings: Settings, *, of: Literal["model", "deployment"]) -> str:
    group = settings.azure.embeddings if workload == "embeddings" else settings.azure.responses
    return group.model if of == "model" else group.deployment


def _make(workload: WorkloadName, url: str, headers: dict[str, str], model: str) -> Request:
    if workload == "embeddings":
        segments = list(_cut_segments())
        body: dict[str, Any] = {"model": model, "input": segments, "encoding_format": "base64"}
        return Request(
            url, headers, body, stream=False, marks=('"embedding"',), most_tokens=sum(map(len, segments))
        )
    streamed = workload == "stream"
    body = {
        "model": model,
        "instructions": _INSTRUCTIONS,
        "input": [{"role": "user", "content": "What does a list comprehension do?"}],
        "max_output_tokens": _OUTPUT_TOKENS,
        "store": False,
        **({"stream": True} if streamed else {}),
    }
    if workload == "refusal":
        body |= {"reasoning": {"effort": "none of those that there are"}}
        return Request(url, headers, body, stream=False, marks=('"error"',), most_tokens=0, status=400)
    marks = ("response.completed", "response.incomplete") if streamed else ('"output"',)
    most = len(_INSTRUCTIONS) + 1000 + _OUTPUT_TOKENS
    return Request(url, headers, body, stream=streamed, marks=marks, most_tokens=most)


def _cut_segments() -> Iterator[str]:
    for number in range(_SEGMENTS):
        yield f"# segment {number}\n{_SEGMENT * 4}"
