"""Two copies of the checkout, one as it is and one with the candidate: it is itself left alone until all is judged."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from aigateway.errors import AigatewayError
from aigateway.files import write_atomically
from aigateway.scanning.checkout import list_files
from aigateway.settings.loading import list_environments
from aigateway.upgrading.candidate import Version, read_version

WANTED = Path("aigateway/launching/runtime.in")
LOCK = Path("aigateway/launching/runtime.lock")
MODEL = Path("aigateway/settings/model.py")
#: Where `aigateway render` and `aigateway docs` write; what else is new in a copy, was left by running it.
GENERATED = (Path("infra/env"), Path("docs"))

_PINNED = re.compile(r"(?<=^litellm\[proxy\]==)\S+", re.MULTILINE)
# The settings' own default, where an environment's gateway.yaml says nothing.
_DEFAULT_TAG = re.compile(
    r"(^class LiteLLMImage\(.*?\n    tag: Tag = Field\(\s*default=\")([^\"]+)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Change:
    """A file that has to change for the candidate; `name` is its path in the checkout, which may not have it yet."""

    name: str
    before: bytes | None
    after: bytes


def read_present(root: Path) -> Version:
    """The LiteLLM that the checkout at `root` has. Raises AigatewayError where it has none, or is none."""
    text = _read(root / WANTED)
    return read_version(_find_once(_PINNED, text, root / WANTED, "litellm[proxy]==VERSION")[0])


def copy_checkout(root: Path, copy: Path) -> None:
    """Copy what Git has, or would take, to `copy`. Raises AigatewayError where Git cannot say what that is."""
    for name in list_files(root):
        source, target = root / name, copy / name
        # A file that is deleted and not yet committed is still listed.
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def set_version(copy: Path, candidate: Version) -> None:
    """Have the checkout at `copy` want the candidate: in runtime.in, and in every environment's settings.

    The lock and what is rendered are then still of the version before. Raises AigatewayError where one is not found.
    """
    path = copy / WANTED
    text = _read(path)
    start, end = _find_once(_PINNED, text, path, "litellm[proxy]==VERSION").span()
    write_atomically(path, f"{text[:start]}{candidate}{text[end:]}")
    path = copy / MODEL
    text = _read(path)
    start, end = _find_once(_DEFAULT_TAG, text, path, "default for LiteLLMImage.tag").span(2)
    write_atomically(path, f"{text[:start]}{candidate.tag}{text[end:]}")
    for environment in list_environments(copy):
        path = copy / "infra" / "env" / environment / "gateway.yaml"
        write_atomically(path, _set_tag(_read(path), path, candidate))


def find_changes(before: Path, after: Path) -> tuple[Change, ...]:
    """What differs between the two copies, of the files that the checkout has, and those that are generated anew."""
    names = {path.relative_to(before) for path in before.rglob("*") if path.is_file()}
    for folder in GENERATED:
        names |= {path.relative_to(after) for path in (after / folder).rglob("*") if path.is_file()}
    pairs = ((name, _read_if_there(before / name), (after / name).read_bytes()) for name in sorted(names))
    return tuple(Change(name.as_posix(), one, other) for name, one, other in pairs if one != other)


def carry_over(root: Path, changes: Iterable[Change]) -> None:
    """Change the checkout's own files: all of them, or none.

    Raises AigatewayError where one was changed since it was copied, or cannot be written.
    """
    changes = tuple(changes)
    moved = [one.name for one in changes if _read_if_there(root / one.name) != one.before]
    if moved:
        raise AigatewayError(
            f"{', '.join(moved)}: changed while the candidate was tried, so nothing was written; run again"
        )
    written: list[Change] = []
    try:
        for one in changes:
            write_atomically(root / one.name, one.after.decode())
            written.append(one)
    except BaseException:
        for one in written:
            if one.before is None:
                (root / one.name).unlink()
            else:
                write_atomically(root / one.name, one.before.decode())
        raise


def _set_tag(text: str, path: Path, candidate: Version) -> str:
    """`text` of a gateway.yaml with the candidate's tag, if it names one; comments stay as they are."""
    image = _find_node(yaml.compose(text, yaml.SafeLoader), "images", "litellm")
    places = {key.value: value for key, value in image.value} if isinstance(image, yaml.MappingNode) else {}
    if "digest" in places:
        line = places["digest"].start_mark.line + 1
        raise AigatewayError(
            f"{path.name}:{line}: images.litellm.digest is of the version before in {path.parent.name}; delete it, "
            "and have it pinned anew by: aigateway pin"
        )
    if "tag" not in places:
        return text
    start, end = places["tag"].start_mark.index, places["tag"].end_mark.index
    return f"{text[:start]}{candidate.tag}{text[end:]}"


def _find_node(node: yaml.Node | None, *keys: str) -> yaml.Node | None:
    for key in keys:
        children: Mapping[str, yaml.Node] = (
            {name.value: value for name, value in node.value} if isinstance(node, yaml.MappingNode) else {}
        )
        node = children.get(key)
    return node


def _find_once(pattern: re.Pattern[str], text: str, path: Path, wanted: str) -> re.Match[str]:
    found = list(pattern.finditer(text))
    if len(found) != 1:
        raise AigatewayError(f"{path}: must have one {wanted}, and has {len(found)}")
    return found[0]


def _read_if_there(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _read(path: Path) -> str:
    try:
        # As bytes: other line ends are to stay what they are.
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise AigatewayError(
            f"{path}: cannot be read: {error.strerror}; a whole checkout of the project has it"
        ) from error
