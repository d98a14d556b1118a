"""What in Azure differs from the checkout, and an issue on GitHub that says so for as long as it does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from aigateway.acceptance.results import RunResult
from aigateway.commands import Command, ask, run
from aigateway.delivery.changes import Changes
from aigateway.errors import AigatewayError

_RIGHT = "the permission issues: write"


@dataclass(frozen=True)
class Drift:
    """What a plan of an environment that is deployed would change, and what came of trying it, if it was tried.

    `untried` says why it was not, where it was to be.
    """

    environment: str
    changes: Changes
    tried: RunResult | None
    page: str = ""
    untried: str = ""

    @property
    def found(self) -> bool:
        """Whether anything is not as it should be."""
        failed = self.tried is not None and not self.tried.conformant
        return bool(self.changes.every) or failed or bool(self.untried)

    @property
    def summary(self) -> str:
        """In a line."""
        tried = self.tried.summary if self.tried else self.untried
        return f"{self.environment}: {self.changes.summary}{f'; {tried}' if tried else ''}"

    @property
    def title(self) -> str:
        """The issue's; by it the issue is found again."""
        return f"{self.environment} is not what main says"

    def render_markdown(self) -> str:
        """The issue's text."""
        parts = [self.changes.render_markdown(f"{self.environment}, planned anew")]
        if self.tried is not None:
            parts.append(f"## Tried: {self.tried.summary}\n")
        elif self.untried:
            parts.append(f"## Not tried: {self.untried}\n")
        if self.page:
            parts.append(f"\nFound by {self.page}\n")
        return "\n".join(parts)


def read_tried(path: Path | None) -> tuple[RunResult | None, str]:
    """The result of a run of the features; or why there is none, which a gateway that is down has too.

    Raises AigatewayError when the file is none.
    """
    if path is None:
        return None, ""
    try:
        return RunResult.model_validate_json(path.read_bytes()), ""
    except FileNotFoundError:
        return (
            None,
            f"`aigateway accept` left no {path}, so the gateway could not be tried; its output says why",
        )
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise AigatewayError(f"{path}: is no result.json of `aigateway accept`") from error


class _Issue(BaseModel):
    number: int
    title: str


def tell(drift: Drift, repository: str) -> str:
    """Open an issue, or bring the open one up to date; close it when nothing differs any more. Says what was done.

    Raises AigatewayError when GitHub refuses.
    """
    where = ("--repo", repository)
    listing = ("issue", "list", *where, "--state", "open", "--search", f'in:title "{drift.title}"')
    found = ask(
        Command("gh", (*listing, "--limit", "20", "--json", "number,title"), _RIGHT), tuple[_Issue, ...]
    )
    number = next((issue.number for issue in found if issue.title == drift.title), None)
    if number is None and not drift.found:
        return "nothing differs, and no issue says otherwise"
    text = ("--body-file", "-")
    if number is None:
        run(
            Command(
                "gh",
                ("issue", "create", *where, "--title", drift.title, *text),
                _RIGHT,
                drift.render_markdown(),
            )
        )
        return f"opened an issue: {drift.title}"
    if not drift.found:
        said = f"Nothing differs any more. {drift.page}".strip()
        run(Command("gh", ("issue", "close", str(number), *where, "--comment", said), _RIGHT))
        return f"closed issue {number}"
    run(Command("gh", ("issue", "edit", str(number), *where, *text), _RIGHT, drift.render_markdown()))
    return f"brought issue {number} up to date"
