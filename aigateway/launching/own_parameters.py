"""LiteLLM's own parameters: what it takes for itself from a request, beyond any provider's API."""

from __future__ import annotations

import json

from aigateway.launching.inspection import inspect_litellm
from aigateway.launching.parts import Launcher, PartReference

# Those that its proxy refuses or drops by itself are not among them.
_LIST_PARAMETERS = """
import inspect, json, os
os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="CRITICAL")
import litellm
from litellm.proxy.auth.auth_utils import _BANNED_REQUEST_BODY_PARAMS
from litellm.proxy.litellm_pre_call_utils import _UNTRUSTED_ROOT_CONTROL_FIELDS
from litellm.types.router import LiteLLM_Params
from litellm.types.utils import all_litellm_params

functions = (litellm.completion, litellm.acompletion, litellm.embedding, litellm.aresponses)
arguments = {name for function in functions for name in inspect.signature(function).parameters}
own = {*all_litellm_params, *LiteLLM_Params.model_fields, *arguments} - {"args", "kwargs"}
print(json.dumps(sorted(own - {*_BANNED_REQUEST_BODY_PARAMS, *_UNTRUSTED_ROOT_CONTROL_FIELDS})))
"""


def list_own_parameters(launcher: Launcher, litellm: PartReference) -> tuple[str, ...]:
    """The names that the code of `litellm` itself has for them; those of OpenAI's API are among them."""
    return tuple(json.loads(inspect_litellm(launcher, litellm, _LIST_PARAMETERS)))
