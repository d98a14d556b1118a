"""What every page is made of: its template, and the style and scripts that stand in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Self

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup


@dataclass(frozen=True)
class Inline:
    """A style or script that stands in the page, and the hash by which the page's policy lets it in."""

    text: Markup
    hash: str

    @classmethod
    def of(cls, text: str) -> Self:
        """`text`, which is ours and goes into the page as it is."""
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return cls(Markup(text), f"sha256-{digest}")  # noqa: S704 - it is ours


def read_text(package: str, name: str) -> str:
    """The file `name` that stands in `package`."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def load_template(package: str, filters: Mapping[str, Callable[..., Any]]) -> Template:
    """The page of `package`; what it is filled with is escaped, and a name that it does not know is an error."""
    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= filters
    return environment.get_template("page.html.j2")
