"""Changes to what a stack runs, made to see whether the scenarios notice them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aigateway.errors import AigatewayError

#: What a stack is made of, each a text: the rendered configs and the start scripts.
EditedFile = Literal["litellm.yaml", "envoy.yaml", "litellm.sh", "envoy.sh"]


class Edit(BaseModel):
    """In `file`, every occurrence of `find` becomes `put`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: EditedFile
    find: str = Field(min_length=1)
    put: str = ""


def apply_edits(file: EditedFile, text: str, edits: Iterable[Edit]) -> str:
    """`text` of `file` with its edits made; raises AigatewayError when one finds nothing to change."""
    for edit in edits:
        if edit.file != file:
            continue
        if edit.find not in text:
            raise AigatewayError(
                f"{file}: there is no {edit.find!r} to change; mend the edit that looks for it"
            )
        text = text.replace(edit.find, edit.put)
    return text
