"""Cutting a file into the segments that Roo embeds (processors/parser.ts)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from aigateway.rehearsing.grammars import GRAMMARS, Grammar

if TYPE_CHECKING:
    from tree_sitter import Node

#: A segment has at least so many characters, and a line that is cut has pieces of so many.
LEAST_CHARACTERS = 50
PIECE_CHARACTERS = 1000

#: No segment is longer: 15 % over what Roo calls the maximum.
MOST_CHARACTERS = 1150

#: Roo does not leave less than this for the last segment of a text.
_LEAST_REST = 200

#: How a file is cut: by its grammar, its headings, by lines as Roo does or, `approximated`, by lines where Roo has a
#: grammar; `nothing` where Roo takes nothing from it.
Way = Literal["grammar", "headings", "lines", "approximated", "nothing"]

# shared/supported-extensions.ts
_BY_LINES = frozenset({".vb", ".scala", ".swift", ".p", ".i", ".w", ".cls", ".df"})
# The scanner knows them, and languageParser.ts has no parser that is found under their name.
_BY_NOTHING = frozenset({".htm", ".elm", ".ejs", ".erb"})

# JavaScript's `.` matches no carriage return: with such line ends Roo sees no heading.
_HEADING = re.compile(r"#{1,6}\s+[^\r\u2028\u2029]+\Z")
_UNDERLINE = re.compile(r"(?:={3,}|-{3,})\s*\Z")
_UNDERLINED = re.compile(r"\s*[^#<>!\[\]`\t]+[^\n]\Z")


def find_way(extension: str) -> Way:
    """How a file with this ending, in lower case, is cut."""
    if extension in (".md", ".markdown"):
        return "headings"
    if extension in GRAMMARS:
        return "grammar"
    if extension in _BY_NOTHING:
        return "nothing"
    return "lines" if extension in _BY_LINES else "approximated"


def cut(extension: str, text: str) -> list[str]:
    """The segments of a file, as they are sent: in Roo's order, and without the space around them."""
    return [trimmed for segment in _cut(extension, text) if (trimmed := segment.strip())]


def estimate_tokens(segment: str) -> int:
    """As Roo does; four characters to a token."""
    return -(-len(segment) // 4)


def _cut(extension: str, text: str) -> Iterable[str]:
    match find_way(extension):
        case "headings":
            return cut_by_headings(text.split("\n"))
        case "grammar":
            return cut_by_grammar(GRAMMARS[extension], text)
        case "nothing":
            return ()
        case _:
            return cut_by_lines(text.split("\n"))


def cut_by_lines(lines: Sequence[str]) -> Iterator[str]:
    """Whole lines, as many as go into a segment; a line that is longer than one is cut into pieces."""
    last = len(lines) - 1
    lengths = [len(line) + (number < last) for number, line in enumerate(lines)]
    start = at = size = 0

    def close() -> Iterator[str]:
        if size >= LEAST_CHARACTERS:
            yield "\n".join(lines[start:at])

    while at <= last:
        if lengths[at] > MOST_CHARACTERS:
            yield from close()
            line = lines[at]
            yield from (
                line[place : place + PIECE_CHARACTERS] for place in range(0, len(line), PIECE_CHARACTERS)
            )
            start, size, at = at + 1, 0, at + 1
        elif size and size + lengths[at] > MOST_CHARACTERS:
            yield from close()
            # Roo begins the next one earlier where too little would be left, and keeps those lines in this one, too.
            start = at = _find_next_start(lengths, start, at) if size >= LEAST_CHARACTERS else at
            size = 0
        else:
            size += lengths[at]
            at += 1
    yield from close()


def _find_next_start(lengths: Sequence[int], start: int, at: int) -> int:
    """Where the segment after that of the lines `start` to `at` begins: at `at`, or so that enough is left for it."""
    rest = 0
    for length in lengths[at:]:
        rest += length
        if rest >= _LEAST_REST:
            return at
    rest += 1  # Roo counts a line break more from here on
    size = sum(lengths[start:at])
    for place in range(at - 1, start, -1):
        rest += lengths[place]
        size -= lengths[place]
        if size >= LEAST_CHARACTERS and rest >= _LEAST_REST:
            return place
    return at


def cut_by_headings(lines: Sequence[str]) -> Iterator[str]:
    """Each section of Markdown, without those inside it."""
    starts = [number for number in range(len(lines)) if _begins_section(lines, number)]
    for start, end in zip([0, *starts], [*starts, len(lines)], strict=True):
        section = lines[start:end]
        content = "\n".join(section)
        if len(content.strip()) < LEAST_CHARACTERS:
            continue
        if len(content) > MOST_CHARACTERS:
            yield from cut_by_lines(section)
        else:
            yield content


def _begins_section(lines: Sequence[str], number: int) -> bool:
    if _HEADING.match(lines[number]):
        return True
    below = lines[number + 1] if number + 1 < len(lines) else ""
    return bool(_UNDERLINE.match(below) and _UNDERLINED.match(lines[number]))


def cut_by_grammar(grammar: Grammar, text: str) -> Iterator[str]:
    """Each definition that is neither too short nor too long, and the parts of one that is too long.

    A definition inside another is a segment of its own besides: Roo sends much of the text twice, and what is in no
    definition not at all.
    """
    source = text.encode()
    nodes = grammar.find_definitions(source)
    if not nodes:
        if len(text) >= LEAST_CHARACTERS:
            yield from cut_by_lines(text.split("\n"))
        return
    waiting: deque[Node] = deque(nodes)
    seen: set[tuple[int, int, int, str]] = set()
    while waiting:
        node = waiting.popleft()
        # No text has more characters than bytes.
        if node.end_byte - node.start_byte < LEAST_CHARACTERS:
            continue
        content = source[node.start_byte : node.end_byte].decode()
        # Roo tells segments apart by these, not by their text.
        mark = (node.start_point.row, node.end_point.row, len(content), content[:100])
        if len(content) < LEAST_CHARACTERS:
            continue
        if len(content) > MOST_CHARACTERS and node.child_count:
            waiting.extend(node.children)
        elif mark not in seen:
            seen.add(mark)
            if len(content) > MOST_CHARACTERS:
                yield from cut_by_lines(content.split("\n"))
            else:
                yield content
