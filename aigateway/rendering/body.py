"""What the body of a request may say: it names a model, and holds no field that LiteLLM takes for itself.

A client's body reaches LiteLLM as it is, and LiteLLM obeys far more in it than OpenAI's API has: another key,
api-version or deployment, headers for Azure, time-outs, retries. It has no switch for that, so the edge looks first.
"""

from __future__ import annotations

from pathlib import Path

#: Headers in which the edge notes what it read of a body: that it is an object, its model, and fields that it refuses.
READ_HEADER = "x-gateway-body"
MODEL_HEADER = "x-gateway-model"
REFUSED_HEADER = "x-gateway-refused"

#: The name of a model and not a path: LiteLLM takes azure/NAME for a deployment, and NAME,NAME for two models.
MODEL_PATTERN = "[A-Za-z0-9._-]+"

#: Read as a form, it would be another body than the JSON that the edge saw.
CONTENT_TYPE_PATTERN = "application/json *(;.*)?"

#: Query parameters that LiteLLM obeys (1.106.2: proxy/litellm_pre_call_utils.py, and its routes' own parameters).
REFUSED_PARAMETERS = ("api-version", "model")

#: LiteLLM's own parameters, less those of OpenAI's API (1.106.2: all_litellm_params in types/utils.py,
#: GenericLiteLLMParams in types/router.py, the arguments of its functions, and what its router and proxy take from a
#: request beside them).
REFUSED_FIELDS = tuple(Path(__file__).with_name("refused_fields.txt").read_text(encoding="utf-8").split())
