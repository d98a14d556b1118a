"""The start scripts, by themselves: what they refuse, and what they hand over.

A script stands in for Envoy and LiteLLM and copies what it was given. Every shell that `/bin/sh` may be runs them.
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aigateway.launching.commands import find_placeholders

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "infra/modules/aigateway_aca/start"
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
REFUSED = 64
KEY = "k" * 32
ENDPOINT = "https://example.openai.azure.com"

# What was given: the arguments, the environment, the config's bytes.
STAND_IN = """#!/bin/sh
mkdir -p "$TEST_GIVEN"
for word in "$@"; do printf '%s\\n' "$word"; done >"$TEST_GIVEN/arguments"
env -0 >"$TEST_GIVEN/environment"
cp "$2" "$TEST_GIVEN/config"
"""

ODD_KEYS = {
    "missing": None,
    "empty": "",
    "short": "k" * 31,
    "double quote": f'{KEY}"',
    "single quote": f"{KEY}'",
    "newline": f"{KEY}\n",
    "newline inside": f"{KEY}\n{KEY}",
    "dollar": f"{KEY}$HOME",
    "backtick": f"{KEY}`id`",
    "space": f"{KEY} {KEY}",
    "backslash": f"{KEY}\\",
    "placeholder": f"{KEY}${{OTHER_KEY}}",
    "bracket": f"{KEY}]",
    "letter of another alphabet": f"{KEY}é",
}


class Shell:
    """Runs a start script with programs that only note what they were given."""

    def __init__(self, shell: str, folder: Path) -> None:
        self.command = [shell, "sh"] if shell == "busybox" else [shell]
        self.folder = folder
        self.given = folder / "given"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        programs = folder / "programs"
        programs.mkdir()
        for name in ("envoy", "litellm"):
            (programs / name).write_text(STAND_IN)
            (programs / name).chmod(0o755)
        self.path = f"{programs}:/usr/bin:/bin"

    def start(
        self,
        part: str,
        variables: dict[str, str | None],
        prepare: Callable[[], None] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        environment = {
            "PATH": self.path,
            "TMPDIR": str(self.temporary),
            "TEST_GIVEN": str(self.given),
            **{name: value for name, value in variables.items() if value is not None},
        }
        shutil.rmtree(self.given, ignore_errors=True)
        return subprocess.run(
            [*self.command, "-c", (SCRIPTS / f"{part}.sh").read_text()],
            env=environment,
            capture_output=True,
            check=False,
            timeout=60,
            # Python ignores SIGXFSZ; passed on, a file that grows too large is an error, as on a full disk.
            restore_signals=prepare is None,
            preexec_fn=prepare,
        )

    @property
    def config(self) -> bytes:
        return (self.given / "config").read_bytes()

    @property
    def arguments(self) -> str:
        return (self.given / "arguments").read_text()

    @property
    def environment(self) -> dict[str, str]:
        entries = (self.given / "environment").read_bytes().decode().split("\0")
        return dict(entry.split("=", 1) for entry in entries if entry)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    return Shell(request.param, tmp_path)


def describe_litellm(**changes: str | None) -> dict[str, str | None]:
    return {
        "LITELLM_CONFIG": "model_list: []\n",
        "AZURE_OPENAI_ENDPOINT": ENDPOINT,
        "AZURE_OPENAI_KEY": secrets.token_hex(16),
        "LITELLM_MASTER_KEY": f"sk-{secrets.token_urlsafe(32)}",
        "LITELLM_SALT_KEY": f"sk-{secrets.token_urlsafe(32)}",
        **changes,
    }


def require_refusal(
    shell: Shell, done: subprocess.CompletedProcess[bytes], name: str, value: str | None
) -> None:
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == REFUSED, said
    assert name in said
    assert len(said.strip().splitlines()) == 1, "one line, with the reason"
    assert not shell.given.exists(), "the part was started all the same"
    assert not list(shell.temporary.iterdir()), "something is left behind"
    if value:
        assert value not in said, "the value was printed"
        assert KEY not in said, "the value was printed"


@pytest.mark.parametrize("name", ["LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "AZURE_OPENAI_KEY"])
@pytest.mark.parametrize("value", ODD_KEYS.values(), ids=ODD_KEYS.keys())
def test_litellm_does_not_start_with_a_key_of_the_wrong_form(
    shell: Shell, name: str, value: str | None
) -> None:
    done = shell.start("litellm", describe_litellm(**{name: value}))
    require_refusal(shell, done, name, value)


@pytest.mark.parametrize("value", ODD_KEYS.values(), ids=ODD_KEYS.keys())
def test_envoy_does_not_start_with_a_key_of_the_wrong_form(shell: Shell, value: str | None) -> None:
    done = shell.start("envoy", {"ENVOY_CONFIG": 'key: "${CLIENT_KEY_A}"', "CLIENT_KEY_A": value})
    require_refusal(shell, done, "CLIENT_KEY_A", value)


@pytest.mark.parametrize("name", ["AZURE_API_KEY", "AZURE_API_BASE"])
def test_litellm_does_not_start_with_what_opens_its_pass_through(shell: Shell, name: str) -> None:
    done = shell.start("litellm", describe_litellm(**{name: KEY}))
    require_refusal(shell, done, name, KEY)


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "",
        "example.openai.azure.com",
        "https://",
        "ftp://example",
        f"{ENDPOINT}/openai",
        f"{ENDPOINT}/v1/",
    ],
)
def test_litellm_does_not_start_with_an_endpoint_that_is_none(shell: Shell, endpoint: str | None) -> None:
    done = shell.start("litellm", describe_litellm(AZURE_OPENAI_ENDPOINT=endpoint))
    require_refusal(shell, done, "AZURE_OPENAI_ENDPOINT", None)


@pytest.mark.parametrize("endpoint", [ENDPOINT, f"{ENDPOINT}/", "http://127.0.0.1:8080"])
def test_litellm_starts_with_a_right_endpoint(shell: Shell, endpoint: str) -> None:
    assert shell.start("litellm", describe_litellm(AZURE_OPENAI_ENDPOINT=endpoint)).returncode == 0
    assert shell.environment["AZURE_OPENAI_ENDPOINT"] == endpoint


@pytest.mark.parametrize("part", ["litellm", "envoy"])
@pytest.mark.parametrize("config", [None, ""])
def test_no_part_starts_without_a_config(shell: Shell, part: str, config: str | None) -> None:
    name = f"{part.upper()}_CONFIG"
    done = shell.start(part, describe_litellm(**{name: config}))
    require_refusal(shell, done, name, None)


@pytest.mark.parametrize(
    "placeholder",
    ["${}", "${lower}", "${A-B}", "${A B}", "${1}", "${9_KEY}", "${$(id)}", "${A:-b}", "${A\n}"],
)
def test_envoy_does_not_start_with_a_placeholder_that_names_no_variable(
    shell: Shell, placeholder: str
) -> None:
    done = shell.start("envoy", {"ENVOY_CONFIG": f"key: {placeholder}"})
    require_refusal(shell, done, "placeholder", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EDGE_ADDRESS", '0.0.0.0", x: "'),
        ("EDGE_PORT", "1\n2"),
        ("LITELLM_PORT", "4000 # x"),
        ("EDGE_PORT", "$(id)"),
    ],
)
def test_envoy_does_not_start_with_an_address_of_the_wrong_form(shell: Shell, name: str, value: str) -> None:
    done = shell.start("envoy", {"ENVOY_CONFIG": f'at: "${{{name}}}"', name: value})
    require_refusal(shell, done, name, value)


@pytest.mark.parametrize("part", ["litellm", "envoy"])
def test_a_part_says_where_it_cannot_write(shell: Shell, part: str) -> None:
    missing = str(shell.folder / "not-there")
    done = shell.start(part, {**describe_litellm(), "ENVOY_CONFIG": "a: b", "TMPDIR": missing})
    assert done.returncode == REFUSED
    assert done.stderr.decode().endswith(f"{part} does not start: cannot write to {missing}\n")
    assert not shell.given.exists()


@pytest.mark.parametrize("part", ["litellm", "envoy"])
def test_a_part_does_not_start_with_half_a_config(shell: Shell, part: str) -> None:
    def fill_the_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    variables = {**describe_litellm(), f"{part.upper()}_CONFIG": "a: b\n" * 10_000}
    done = shell.start(part, variables, fill_the_disk)
    assert done.returncode == REFUSED, done.stderr
    assert b"cannot write to" in done.stderr
    assert not shell.given.exists()


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_envoy_gets_its_config_with_each_placeholder_filled_in_and_nothing_else_changed(
    shell: Shell, environment: str
) -> None:
    config = (ROOT / "infra/env" / environment / "envoy.yaml").read_text()
    values = {name: secrets.token_urlsafe(32) for name in find_placeholders(config)}
    values |= {"EDGE_ADDRESS": "127.0.0.1", "EDGE_PORT": "12345", "LITELLM_PORT": "23456"}
    assert len(values) > 5

    done = shell.start("envoy", {"ENVOY_CONFIG": config, **values})

    assert done.returncode == 0, done.stderr
    expected = config
    for name, value in values.items():
        expected = expected.replace(f"${{{name}}}", value)
    assert shell.config == expected.encode()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    # What a shell may be tempted to read: quotes, substitutions, globs, escapes, ends of line.
    text=st.text(alphabet="aé$`\"'\\*?[]{}%~!#&|;<>() \t\n-", max_size=60),
    tail=st.sampled_from(["", "\n", "\n\n", "${", "}", "$"]),
)
def test_what_is_no_placeholder_stays_as_it_is(shell: Shell, text: str, tail: str) -> None:
    text = text.replace("${", "$")
    key = secrets.token_urlsafe(32)
    done = shell.start("envoy", {"ENVOY_CONFIG": f"{text}${{A_KEY}}{text}${{A_KEY}}{tail}", "A_KEY": key})
    assert done.returncode == 0, done.stderr
    assert shell.config == f"{text}{key}{text}{key}{tail}".encode()


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_litellm_gets_its_config_byte_for_byte(shell: Shell, end: str) -> None:
    config = (ROOT / "infra/env/dev/litellm.yaml").read_text() + f"# $HOME `id` \\n %s ${{A_KEY}} é\"'{end}"
    assert shell.start("litellm", describe_litellm(LITELLM_CONFIG=config)).returncode == 0
    assert shell.config == config.encode()


def test_no_secret_is_an_argument_and_the_config_is_for_its_owner_alone(shell: Shell) -> None:
    variables = describe_litellm(CLIENT_KEY=secrets.token_urlsafe(32), ENVOY_CONFIG="a: ${CLIENT_KEY}")
    for part in ("litellm", "envoy"):
        assert shell.start(part, variables).returncode == 0
        for name, value in variables.items():
            assert name.endswith(("_CONFIG", "_ENDPOINT")) or (value and value not in shell.arguments)
        assert f"{part.upper()}_CONFIG" not in shell.environment
        path = Path(shell.arguments.splitlines()[1])
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0


def test_litellm_listens_on_the_loopback_alone_and_logs_no_prompts(shell: Shell) -> None:
    shell.start("litellm", describe_litellm(LITELLM_PORT="4321"))
    arguments = shell.arguments.splitlines()
    assert arguments[arguments.index("--host") + 1] == "127.0.0.1"
    assert arguments[arguments.index("--port") + 1] == "4321"
    assert shell.environment["LITELLM_LOG"] == "CRITICAL"
    assert json.loads(Path(arguments[arguments.index("--log_config") + 1]).read_text())["version"] == 1


def test_the_shell_that_runs_them_here_is_among_those_tested() -> None:
    assert os.path.realpath("/bin/sh").rpartition("/")[2] in SHELLS
