"""Each command of a page is one that there is; and is run by a test, unless its block says that it needs Azure."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from pages import PAGES, ROOT, Command, list_commands

from aigateway.cli import app

COMMANDS = list(list_commands())
LOCAL = [command for command in COMMANDS if not command.needs_cloud]

CLIENTS = "tests/clients/test_clients_command.py"
#: What runs a command, with the same or other arguments: a script, or a test by file and name.
RUN_BY = {
    r"scripts/(accept|test)": ".ci/run",
    r"\S*aigateway up .*": "tests/cli/test_stopping.py::test_up_stops_while_it_runs",
    r"\S*aigateway doctor .*": "tests/doctor/test_doctor_command.py::test_all_is_well",
    r"\S*aigateway clients .*--write .*": f"{CLIENTS}::test_files_are_written_where_that_is_asked",
    r"\S*aigateway clients .*": f"{CLIENTS}::test_one_file_comes_bare_and_the_guide_beside_it",
    r"CODEX_HOME=.* @openai/codex exec .*": "tests/clients/test_real_clients.py::test_codex",
    r"\S*aigateway prove .*": "tests/proving/test_prove.py::test_a_sabotage_that_is_noticed",
    r"\S*aigateway render": "tests/rendering/test_renderer.py",
    r"\S*aigateway upgrade .*--write": "tests/upgrading/test_upgrade.py::test_one_that_conforms_is_written",
    r"\S*aigateway upgrade .*": "tests/upgrading/test_real_upgrade.py",
    r"\S*aigateway rehearse .*": "tests/rehearsing/test_rehearse.py::test_a_folder_is_indexed",
    r"\S*pip install --editable '\.\[\w+\]'": "scripts/install",
    r"export \w+=.*": "",  # the shell's own
}
_INLINE = re.compile(r"`(aigateway [a-z][^`]*)`")
#: What stands for something else, or may be left out: no line to paste.
_PLACEHOLDER = re.compile(r"[\[\]…{}]")


def describe(command: Command) -> str:
    return f"{command.page}: {command.text}"


def list_lines() -> Iterator[str]:
    """Every line of ours: in blocks, and within sentences and tables."""
    for command in COMMANDS:
        if found := re.search(r"(?:^|[ /]|\$\()(aigateway [a-z][^)]*)", command.text):
            yield found[1]
    for page in PAGES:
        yield from (text for text in _INLINE.findall(page.read_text()) if not _PLACEHOLDER.search(text))


@pytest.mark.parametrize("line", sorted(set(list_lines())))
def test_the_command_line_takes_it(line: str) -> None:
    """All but the values, which are often a stand-in: that there is the command, and has these options."""
    group = typer.main.get_command(app)
    _, name, *arguments = shlex.split(line)
    context = group.make_context("aigateway", [name], resilient_parsing=True)
    command = group.get_command(context, name)  # type: ignore[attr-defined]
    assert command, f"there is no command {name}"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in arguments if word.startswith("-")} <= known


@pytest.mark.parametrize("command", LOCAL, ids=describe)
def test_something_runs_it(command: Command) -> None:
    runner = next((value for key, value in RUN_BY.items() if re.fullmatch(key, command.text)), None)
    assert runner is not None, f"nothing runs it; or begin its block with '# needs Azure': {command.text}"
    path, _, name = runner.partition("::")
    if name:
        assert name in _list_tests(ROOT / path), f"{path} has no {name}"
    elif path:
        assert (ROOT / path).exists(), path


def test_no_more_is_listed_than_there_is() -> None:
    unused = [key for key in RUN_BY if not any(re.fullmatch(key, command.text) for command in LOCAL)]
    assert unused == []


def _list_tests(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
