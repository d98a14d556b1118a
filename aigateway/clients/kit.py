"""What a person needs to point a client at a gateway: files to paste or import, and a guide."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from aigateway.clients import Client
from aigateway.clients.catalogue import TITLES, can_roo_index
from aigateway.deployed.deployment import is_this_machine
from aigateway.doctor.traps import is_azure_to_codex
from aigateway.errors import AigatewayError, RenderError
from aigateway.files import write_atomically
from aigateway.names import Names
from aigateway.rendering.renderer import fill_template, open_templates
from aigateway.settings.model import Settings

_FOLDER = "clients"
_GUIDE = "guide.md"
_SUFFIX = ".j2"


@dataclass(frozen=True)
class Gateway:
    """A gateway as templates see it; `base_url` is without /v1."""

    settings: Settings
    base_url: str

    @property
    def api_url(self) -> str:
        """What OpenAI's packages call a base URL."""
        return f"{self.base_url}/v1"

    @property
    def id(self) -> str:
        """Its name among a client's providers: another one for each environment."""
        return f"pvc-{self.settings.environment}-{self.settings.project}"

    @property
    def title(self) -> str:
        """What people see of it in a client."""
        return f"PVC AI Gateway, {self.settings.environment}"

    @property
    def key_variable(self) -> str:
        """The environment variable that holds the person's key for it."""
        return f"AIGATEWAY_KEY_{self.settings.environment.upper()}"

    @property
    def key_placeholder(self) -> str:
        """What stands in the place of a key where a client's file cannot name a variable."""
        return f"PASTE THE VALUE OF {self.key_variable} HERE"

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        return is_this_machine(self.base_url)

    @property
    def host(self) -> str:
        """The name of the machine that it runs on."""
        return urlsplit(self.base_url).hostname or ""


class ClientFile(BaseModel):
    """A file that a client reads, or that a person runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="as the client calls it")
    text: str


class Kit(BaseModel):
    """What points one client at a gateway. It holds no key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: Client
    title: str
    guide: str = Field(description="Markdown: where the files go, and what is to be known")
    key: str = Field(description="how to set the environment variable of the key")
    files: tuple[ClientFile, ...]


def make_kit(root: Path, gateway: Gateway, client: Client) -> Kit:
    """What points `client` at `gateway`, from the templates of the checkout at `root`.

    Raises RenderError for a template.
    """
    folder = root / "templates" / _FOLDER / client
    names = sorted(path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))
    templates = open_templates(root)
    context = {
        "settings": gateway.settings,
        "gateway": gateway,
        "roo_indexes": can_roo_index(gateway.settings),
        "is_azure_to_codex": is_azure_to_codex(gateway.base_url),
        "quote": shlex.quote,
    }

    def fill(name: str) -> str:
        return fill_template(templates, f"{_FOLDER}/{client}/{name}", context)

    files = tuple(ClientFile(name=name, text=fill(name)) for name in names if name != _GUIDE)
    if not files:
        raise RenderError(
            f"templates/{_FOLDER}/{client}: has no template; a checkout of the project has some"
        )
    return Kit(
        client=client,
        title=TITLES[client],
        guide=fill(_GUIDE).strip(),
        key=describe_key(gateway, client),
        files=files,
    )


def describe_key(gateway: Gateway, client: Client) -> str:
    """The command that sets the key's environment variable, with the key still to be put in, or asked of the vault."""
    variable = gateway.key_variable
    if gateway.is_local:
        return f"export {variable}=KEY    # the key that `aigateway up` prints"
    own = next((one for one in gateway.settings.clients if client.startswith(one.name)), None)
    # While a key is rotated, the second slot's is the one to hand out.
    secret = own.secret_names[-1] if own else "client-NAME-a"
    vault = Names(gateway.settings).key_vault
    asked = f"az keyvault secret show --vault-name {vault} --name {secret} --query value --output tsv"
    note = "" if own else f"    # NAME: {', '.join(one.name for one in gateway.settings.clients[1:])}"
    return f'export {variable}="$({asked})"{note}'


def write_kits(kits: tuple[Kit, ...], folder: Path, *, force: bool) -> tuple[Path, ...]:
    """Write all files, of several clients into a folder for each; returns those that were not there as they are.

    Raises AigatewayError, and writes none, when there cannot be such files, or one is there that says something else,
    unless `force`.
    """
    texts = {
        (folder / kit.client if len(kits) > 1 else folder) / file.name: file.text
        for kit in kits
        for file in kit.files
    }
    try:
        _require_places(texts)
        differing = [path for path, text in texts.items() if path.exists() and _read(path) != text]
    except OSError as error:
        raise AigatewayError(
            f"{error.filename or folder}: {error.strerror}; name another folder with --write. Nothing was written"
        ) from error
    if differing and not force:
        raise AigatewayError(
            f"{', '.join(map(str, differing))}: exists and says something else; merge what is printed without --write "
            "into it, name another folder, or overwrite it with --force. Nothing was written"
        )
    written = [path for path, text in texts.items() if not path.exists() or path in differing]
    for number, path in enumerate(written):
        try:
            write_atomically(path, texts[path])
        except AigatewayError as error:
            before = ", ".join(map(str, written[:number])) or "nothing"
            raise AigatewayError(f"{error}; written before it: {before}") from error
    return tuple(written)


def _require_places(paths: Iterable[Path]) -> None:
    """Raise OSError where a file stands in the place of a folder, or a folder in that of a file."""
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder, where a file has to be", str(path))
        above = next(parent for parent in path.parents if parent.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "is a file, where a folder has to be", str(above))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
