"""The pages that people read, as Markdown: their headings, links, scenarios and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: The PRD is the user's own words.
PAGES = sorted(
    path
    for path in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md"))
    if path.stem != "prd"
)

#: The first line of a block whose commands reach Azure or GitHub.
NEEDS_CLOUD = ("# needs Azure", "# needs GitHub")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LAST_CELL = re.compile(r"^\|.* \| (.*) \|$", re.MULTILINE)
_ITALIC = re.compile(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])")
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_ROW = re.compile(r"^\|.*\|$", re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A command of a page's block, as a person would paste it."""

    page: str
    text: str
    needs_cloud: bool


def list_links(page: Path) -> list[str]:
    """Where its links go, of those that are no web address."""
    return [link for link in _LINK.findall(_FENCE.sub("", page.read_text())) if "://" not in link]


def list_anchors(page: Path) -> set[str]:
    """What GitHub makes of its headings: lower case, hyphens for blanks, no other signs."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def list_last_italics(page: Path) -> list[str]:
    """What the last column of its tables sets in italics: on some pages these are the names of scenarios."""
    return [unescape(text) for cell in _LAST_CELL.findall(page.read_text()) for text in _ITALIC.findall(cell)]


def list_inline(text: str) -> Iterator[str]:
    """What is set as code within sentences and tables, on one line."""
    for code in _CODE.findall(_FENCE.sub("", text)):
        yield " ".join(code.split())


def list_rows(text: str) -> list[str]:
    """The rows of its tables."""
    return _ROW.findall(_FENCE.sub("", text))


def list_commands() -> Iterator[Command]:
    """Every command of every page's shell blocks."""
    for page in PAGES:
        for language, block in _FENCE.findall(page.read_text()):
            if language == "sh":
                yield from _read_block(page.relative_to(ROOT).as_posix(), block)


def _read_block(page: str, block: str) -> Iterator[Command]:
    needs_cloud = block.startswith(NEEDS_CLOUD)
    # A pipe or a backslash at its end goes on in the next line.
    for line in re.sub(r"(\\|(?<=\|))\n\s*", " ", block).splitlines():
        text = re.sub(r"\s+#.*$", "", line).strip()
        if text and not text.startswith("#"):
            yield Command(page, text, needs_cloud)
