"""Text in Markdown."""

from __future__ import annotations


def escape(text: str) -> str:
    """What Markdown would take for its own, as text on one line."""
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
