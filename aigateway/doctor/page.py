"""docs/doctor.md, from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable

from aigateway.doctor.catalogue import CHECKS, TROUBLES

_HEAD = """\
# What the doctor checks, and what its findings mean

<!-- Generated from aigateway/doctor/catalogue.py by `aigateway docs`; edit that, not this file. -->

```sh
export AIGATEWAY_KEY=…
aigateway doctor --base-url https://NAME/v1 --client codex
aigateway doctor --base-url https://NAME --client roo    # each base URL as its client has it
```

tries, from the machine that a client runs on, all that lies between it and the gateway, in under 20 s and for a few
hundred tokens. The key is never shown, and sent to nobody whose certificate was not verified. The exit code is 0 when
all is well (there may be warnings), 1 when something is wrong, 2 when it, or a part of it, could not be tried.

A client's providers have names of their own: `roo` and `cline` are "OpenAI", `roo-compatible` and `cline-compatible`
"OpenAI Compatible", `roo-indexing` is the index of the codebase.

## Checks

"""


def render_page() -> str:
    """The whole text of docs/doctor.md."""
    titles = {check.id: check.title for check in CHECKS}
    checks = (
        (check.title, check.question, ", ".join(titles[name] for name in check.needs)) for check in CHECKS
    )
    troubles = (
        (
            f"`{one.id}`",
            f"{one.title}." + (" *Warning.*" if one.severity == "warning" else ""),
            one.means,
            one.advice,
        )
        for one in TROUBLES
    )
    return (
        _HEAD
        + "| Line | What it asks | Not checked without |\n|---|---|---|\n"
        + _render_rows(checks)
        + "\n## Findings\n\n| Id | What is wrong | What it means | What to do |\n|---|---|---|---|\n"
        + _render_rows(troubles)
    )


def _render_rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)
