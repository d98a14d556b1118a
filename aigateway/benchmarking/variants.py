"""Other ways to run the gateway, each an edit of what is rendered or of how it is started, to see what it is worth.

They stand in `variants.yaml` beside this; another file of the same form can be named instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from aigateway.errors import AigatewayError
from aigateway.launching.edits import Edit
from aigateway.settings.document import DocumentError, read_document
from aigateway.settings.problems import suggest, write_key

CATALOGUE = Path(__file__).with_name("variants.yaml")

#: What other subjects of a run are called.
RESERVED = frozenset({"direct", "gateway", "edgeless", "stock", "running"})


class Variant(BaseModel):
    """The rendered config with `edits`; `why` says what could be gained by them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    why: str = Field(min_length=1)
    edits: tuple[Edit, ...] = Field(min_length=1)


_VARIANTS: TypeAdapter[tuple[Variant, ...]] = TypeAdapter(tuple[Variant, ...])


def load_variants(path: Path = CATALOGUE) -> dict[str, Variant]:
    """The variants of `path` by name. Raises AigatewayError, with file and line, for what cannot be used."""
    try:
        document = read_document(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}") from error
    except DocumentError as error:
        raise AigatewayError(f"{path}:{error.line or 1}: {error}") from error
    try:
        entries = _VARIANTS.validate_python(document.data, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        line = document.find_line(first["loc"])
        raise AigatewayError(f"{path}:{line}: {write_key(first['loc'])}: {first['msg']}") from error
    found: dict[str, Variant] = {}
    for number, entry in enumerate(entries):
        if entry.variant in found or entry.variant in RESERVED:
            line = document.find_line((number,))
            raise AigatewayError(f"{path}:{line}: {entry.variant!r} is taken; give it another name")
        found[entry.variant] = entry
    return found


def choose_variants(names: Sequence[str], path: Path = CATALOGUE) -> tuple[Variant, ...]:
    """Those called `names`, each of which may join several by `+`; `all` is every one of the file.

    Raises AigatewayError for a name that there is not.
    """
    known = load_variants(path) if names else {}
    chosen: dict[str, Variant] = {}
    for name in names:
        for one in known if name == "all" else [name]:
            chosen[one] = _join([_find(part, known, path) for part in one.split("+")])
    return tuple(chosen.values())


def _find(name: str, known: dict[str, Variant], path: Path) -> Variant:
    if name not in known:
        raise AigatewayError(
            f"{path}: there is no variant {name!r}{suggest(name, known)}; there are {', '.join(known)}"
        )
    return known[name]


def _join(variants: Sequence[Variant]) -> Variant:
    """All of them at once."""
    if len(variants) == 1:
        return variants[0]
    return Variant.model_construct(
        variant="+".join(one.variant for one in variants),
        why="together: " + "; ".join(one.why for one in variants),
        edits=tuple(edit for one in variants for edit in one.edits),
    )
