"""The app registrations that GitHub's jobs log in as: with GitHub's tokens, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from aigateway.bootstrap.steps import Change, ConflictError, Step
from aigateway.bootstrap.target import Target
from aigateway.commands import Command, Shape, ask, read

ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"
# The version that tells of immutable subjects.
GITHUB_VERSION = "2026-03-10"

_RIGHT = "the directory's role Application Developer, or to own the app registration"
_READ_RIGHT = "to read the directory's app registrations"


class _Secret(Shape):
    key_id: str


class _Application(Shape):
    app_id: str
    password_credentials: list[_Secret] = Field(default_factory=list)
    key_credentials: list[_Secret] = Field(default_factory=list)


class _Principal(Shape):
    id: str


class _Credential(Shape):
    id: str
    name: str
    issuer: str
    subject: str
    audiences: list[str]


class _Subject(Shape):
    use_default: bool = Field(alias="use_default")
    use_immutable_subject: bool = Field(alias="use_immutable_subject")
    sub_claim_prefix: str | None = Field(default=None, alias="sub_claim_prefix")


def read_subject_prefix(slug: str) -> str:
    """What the subject of each of a repository's tokens begins with: `repo:OWNER/NAME`, or with ids in it.

    Asked of GitHub and not worked out: repositories made, renamed or moved since July 2026 have immutable ids in it,
    older ones where they were opted in (docs.github.com/actions/reference/openid-connect-reference).
    Raises AigatewayError when the repository's subjects are of another form, which names no environment for sure.
    """
    path = f"repos/{slug}/actions/oidc/customization/sub"
    answer: _Subject = ask(
        Command(
            "gh",
            ("api", path, "--header", f"X-GitHub-Api-Version: {GITHUB_VERSION}"),
            f"to administer {slug}",
        ),
        _Subject,
    )
    if not answer.use_default:
        raise ConflictError(
            f"the tokens of {slug} have subjects of its own making, or its organization's; a job that names an "
            f"environment has to have GitHub's: gh api --method PUT {path} -F use_default=true"
        )
    if not answer.use_immutable_subject:
        return f"repo:{slug}"
    prefix = (answer.sub_claim_prefix or "").rstrip(":")
    if _strip_ids(prefix) != f"repo:{slug}":
        raise ConflictError(
            f"GitHub says that the tokens of {slug} have immutable subjects, and that they begin with "
            f"{prefix or 'nothing'!r}, which is not this repository"
        )
    return prefix


def _is_older_form(subject: str, wanted: str) -> bool:
    """Whether one of them is the other without ids. Other ids under the same names are another repository."""
    bare = {_strip_ids(subject), _strip_ids(wanted)}
    return len(bare) == 1 and len({subject, wanted} - bare) <= 1


def _strip_ids(subject: str) -> str:
    """A subject without the ids after the names of owner and repository."""
    return re.sub(r"^(repo:[^/:@]+)(?:@\d+)?/([^/:@]+)(?:@\d+)?", r"\1/\2", subject)


@dataclass
class Registration:
    """One app registration and its service principal; the ids are known once they were found or made."""

    target: Target
    purpose: str
    """`plan` or `apply`."""
    github_environment: str
    app_id: str = ""
    principal_id: str = ""

    @property
    def name(self) -> str:
        return self.target.name_identity(self.purpose)

    @property
    def client_id(self) -> str:
        """The app's id; to plan, a word in its place where there is none yet."""
        return self.app_id or f"<app id of {self.name}>"

    @property
    def assignee(self) -> str:
        """The service principal's id, or a word in its place."""
        return self.principal_id or f"<id of {self.name}>"

    def list_steps(self) -> tuple[Step, ...]:
        """The app and its service principal, which have no rights yet and no way to log in."""
        return (
            Step(f"app registration {self.name}", self.inspect_application),
            Step(f"service principal {self.name}", self.inspect_principal),
        )

    def list_login_steps(self, prefix: str) -> tuple[Step, ...]:
        """How GitHub's jobs log in."""
        subject = f"{prefix}:environment:{self.github_environment}"
        return (Step(f"login of {self.name} from {subject}", lambda: self.inspect_credentials(subject)),)

    def inspect_application(self) -> Sequence[Change]:
        name = self.name
        found: list[_Application] = ask(
            _az("ad", "app", "list", "--filter", f"displayName eq '{name}'", right=_READ_RIGHT),
            list[_Application],
        )
        if len(found) > 1:
            raise ConflictError(
                f"there are {len(found)} app registrations called {name}, and which one is ours nobody can tell "
                f"({', '.join(app.app_id for app in found)}); delete the others: az ad app delete --id ID"
            )
        if not found:
            create = ("ad", "app", "create", "--display-name", name, "--sign-in-audience", "AzureADMyOrg")
            return [Change(f"app registration {name}", _az(*create), learn=self._learn_application)]
        (app,) = found
        if secrets := (*app.password_credentials, *app.key_credentials):
            raise ConflictError(
                f"the app registration {name} ({app.app_id}) has {len(secrets)} secrets or certificates, and "
                "whoever has them can log in as it; delete them: "
                f"az ad app credential delete --id {app.app_id} --key-id {secrets[0].key_id}"
                f"{' --cert' if secrets[0] in app.key_credentials else ''}"
            )
        self.app_id = app.app_id
        return []

    def inspect_principal(self) -> Sequence[Change]:
        if self.app_id:
            command = _az("ad", "sp", "list", "--filter", f"appId eq '{self.app_id}'", right=_READ_RIGHT)
            found: list[_Principal] = ask(command, list[_Principal])
            if found:
                self.principal_id = found[0].id
                return []
        create = _az("ad", "sp", "create", "--id", self.client_id)
        return [Change(f"service principal {self.name}", create, learn=self._learn_principal)]

    def inspect_credentials(self, subject: str) -> Sequence[Change]:
        what = f"login of {self.name} from {subject}"
        body = {
            "name": f"github-{self.github_environment}",
            "issuer": ISSUER,
            "subject": subject,
            "audiences": [AUDIENCE],
        }
        parameters = ("--parameters", json.dumps(body))
        app = ("ad", "app", "federated-credential")
        found: list[_Credential] = []
        if self.app_id:
            found = ask(_az(*app, "list", "--id", self.app_id, right=_READ_RIGHT), list[_Credential])
        for credential in found:
            self._require_ours(credential, subject)
        if not found:
            return [Change(what, _az(*app, "create", "--id", self.client_id, *parameters))]
        old, *others = found
        if others:
            raise ConflictError(
                f"the app registration {self.name} ({self.app_id}) has {len(found)} federated credentials, and "
                f"needs one; delete all but that for {subject}: az ad app federated-credential delete "
                f"--id {self.app_id} --federated-credential-id ID"
            )
        if old.subject == subject and old.audiences == [AUDIENCE]:
            return []
        update = ("update", "--id", self.app_id, "--federated-credential-id", old.id)
        return [Change(f"{what}, not {old.subject}", _az(*app, *update, *parameters), differs=True)]

    def _require_ours(self, credential: _Credential, subject: str) -> None:
        """Refuse a way to log in that is not this environment of this repository, be it in its older form."""
        if credential.issuer.rstrip("/") == ISSUER and _is_older_form(credential.subject, subject):
            return
        raise ConflictError(
            f"the app registration {self.name} ({self.app_id}) lets somebody else log in: its federated credential "
            f"{credential.name} is for {credential.subject} of {credential.issuer}, and not for {subject}. "
            f"If nobody needs it: az ad app federated-credential delete --id {self.app_id} "
            f"--federated-credential-id {credential.id}"
        )

    def _learn_application(self, said: str) -> None:
        self.app_id = read(_az("ad", "app", "create"), said, _Application).app_id

    def _learn_principal(self, said: str) -> None:
        self.principal_id = read(_az("ad", "sp", "create"), said, _Principal).id


def _az(*arguments: str, right: str = _RIGHT) -> Command:
    """A command about the directory, which is no subscription's."""
    return Command("az", (*arguments, "--output", "json"), right)
