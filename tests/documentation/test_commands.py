"""Each command of a page is one that there is; and is run by a test, unless its block says that it needs Azure."""

from __future__ import annotations

import ast
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from pages import PAGES, ROOT, Command, list_commands, list_inline, list_rows

from aigateway.cli import app

COMMANDS = list(list_commands())
LOCAL = [command for command in COMMANDS if not command.needs_cloud]

CLIENTS = "tests/clients/test_clients_command.py"
SCRIPTS = "tests/documentation/test_scripts.py"
#: The shell's own: nothing of ours runs it.
SHELL = r"export \w+=.*"
#: What runs a command, with the same or other arguments: a test, by file and name.
RUN_BY = {
    r"scripts/accept": f"{SCRIPTS}::test_a_script_hands_on_what_it_is_given",
    r"scripts/test": f"{SCRIPTS}::test_the_tests_are_run_with_what_they_need",
    r"\S*aigateway up .*": "tests/cli/test_stopping.py::test_up_stops_while_it_runs",
    r"\S*aigateway doctor .*": "tests/doctor/test_doctor_command.py::test_all_is_well",
    r"\S*aigateway clients .*--write .*": f"{CLIENTS}::test_files_are_written_where_that_is_asked",
    r"\S*aigateway clients .*": f"{CLIENTS}::test_one_file_comes_bare_and_the_guide_beside_it",
    r"CODEX_HOME=.* @openai/codex exec .*": "tests/clients/test_real_clients.py::test_codex",
    r"\S*aigateway prove .*": "tests/proving/test_prove.py::test_a_sabotage_that_is_noticed",
    r"\S*aigateway render": "tests/cli/test_bad_input.py::test_what_is_rendered_is_what_is_committed",
    r"\S*aigateway upgrade .*--write": "tests/upgrading/test_upgrade.py::test_one_that_conforms_is_written",
    r"\S*aigateway upgrade .*": (
        "tests/upgrading/test_real_upgrade.py::test_two_real_ones_are_compared_and_the_checkout_is_left_alone"
    ),
    r"\S*aigateway rehearse .*": "tests/rehearsing/test_rehearse.py::test_a_folder_is_indexed",
    r"\S*pip install --editable '\.\[\w+\]'": f"{SCRIPTS}::test_what_an_extra_has_is_installed_by_that_name",
}
#: Which of our scripts hand all of their arguments to the command of the same name.
_HANDED_ON = re.compile(r"scripts/(accept|bootstrap)\b")
_OURS = re.compile(r"(?:^|[ /(])(aigateway [a-z][^)`]*)")
_SCRIPT = re.compile(r"(?:^|[ /(])(scripts/[\w.-]+)")
_EXTRA = re.compile(r"\.\[(\w+)\]")
#: What says that something may be left out, or that there may be more of it: what it is said of stays.
_MAY_BE = re.compile(r"[\[\]…]")


def describe(command: Command) -> str:
    return f"{command.page}: {command.text}"


def list_texts() -> Iterator[str]:
    """All that is set as code: commands in blocks, and what stands within sentences and tables."""
    yield from (command.text for command in COMMANDS)
    for page in PAGES:
        yield from list_inline(page.read_text())


def find_lines(text: str) -> list[str]:
    """The command lines of ours in it, without the signs for what may be left out."""
    return _OURS.findall(_MAY_BE.sub("", _HANDED_ON.sub(r"aigateway \1", text)))


def list_lines() -> set[str]:
    return {line for text in list_texts() for line in find_lines(text)}


def list_scripts() -> set[str]:
    return {script for text in list_texts() for script in _SCRIPT.findall(text)}


def list_documented_options() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Rows of tables that have commands: these, and each option that stands alone in the same row."""
    for page in PAGES:
        for row in list_rows(page.read_text()):
            codes = list(list_inline(row))
            lines = tuple(line for code in codes for line in find_lines(code))
            for code in codes if lines else ():
                if code.startswith("-"):
                    yield code, lines


@cache
def list_options() -> dict[str, set[str]]:
    """The options of each command."""
    group = typer.main.get_command(app)
    return {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }


def find_options(line: str) -> set[str]:
    """The options of the command that a line names. Fails when there is none."""
    name = shlex.split(line)[1]
    assert name in list_options(), f"there is no command {name}"
    return list_options()[name]


def find_used_options(line: str) -> set[str]:
    return {word.partition("=")[0] for word in shlex.split(line) if word.startswith("-")}


@pytest.mark.parametrize("line", sorted(list_lines()))
def test_the_command_line_takes_it(line: str) -> None:
    """All but the values, which are often a stand-in: that there is the command, and has these options."""
    assert find_used_options(line) - find_options(line) == set()


@pytest.mark.parametrize(
    "documented",
    sorted(set(list_documented_options())),
    ids=lambda documented: f"{documented[0]} of {documented[1][0]}",
)
def test_an_option_is_one_of_its_rows_commands(documented: tuple[str, tuple[str, ...]]) -> None:
    option, lines = documented
    known = {known for line in lines for known in find_options(line)}
    assert find_used_options(option) - known == set()


@pytest.mark.parametrize("script", sorted(list_scripts()))
def test_the_script_is_there(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK), script


def test_the_extras_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {extra for text in list_texts() for extra in _EXTRA.findall(text)}
    assert named - set(project["optional-dependencies"]) == set()


@pytest.mark.parametrize("command", LOCAL, ids=describe)
def test_something_runs_it(command: Command) -> None:
    if re.fullmatch(SHELL, command.text):
        return
    runner = next((value for key, value in RUN_BY.items() if re.fullmatch(key, command.text)), None)
    assert runner is not None, f"nothing runs it; or begin its block with '# needs Azure': {command.text}"
    path, _, name = runner.partition("::")
    assert name in _list_tests(ROOT / path), f"{path} has no test {name}"


def test_no_more_is_listed_than_there_is() -> None:
    unused = [key for key in RUN_BY if not any(re.fullmatch(key, command.text) for command in LOCAL)]
    assert unused == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aigateway render [ENV…] [--check] [--diff]", ["aigateway render ENV --check --diff"]),
        (".venv/bin/aigateway render", ["aigateway render"]),
        ("scripts/bootstrap all dev --plan", ["aigateway bootstrap all dev --plan"]),
        ('TF_VAR_secrets="$(aigateway secrets dev NAME…)" terraform apply', ["aigateway secrets dev NAME"]),
        ("aigateway", []),
        ("infra/modules/aigateway_aca/", []),
    ],
)
def test_a_line_is_found_in_whatever_it_is_written_as(text: str, expected: list[str]) -> None:
    assert find_lines(text) == expected


def _list_tests(path: Path) -> set[str]:
    names = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}
