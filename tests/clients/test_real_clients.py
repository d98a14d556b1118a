"""The clients themselves, from npm, with the files that are made for them, at the gateway of `aigateway up`.

AIGATEWAY_REAL_CLIENTS=1 .venv/bin/pytest tests/clients -m slow

Versions are those that are known to work; each may need some 500 MB in the temporary folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest
from pointing import ROOT, leave_evidence, point_at

from aigateway.clients import Client
from aigateway.clients.kit import make_kit
from aigateway.doctor.clients import CLIENTS, Api, ClientName
from aigateway.doctor.traps import ROO_MODELS
from aigateway.waiting import wait_until

VARIABLE = "AIGATEWAY_REAL_CLIENTS"
KEY_VARIABLE = "AIGATEWAY_KEY_DEV"
ASKED = "Reply with exactly: it works"
SECONDS = 300

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get(VARIABLE) != "1", reason=f"{VARIABLE} is not 1"),
]


@dataclass(frozen=True)
class Desk:
    """A person's machine: a gateway that runs, a key for it, files for each client, and a home of its own."""

    folder: Path
    files: Path
    base_url: str
    key: str
    access_log: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a program sees; nothing of the person's who runs the tests."""
        home = self.folder / "home"
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(self.folder),
            KEY_VARIABLE: self.key,
            "CODEX_HOME": str(home / ".codex"),
            "KILO_CONFIG": str(self.files / "kilo" / "kilo.json"),
            "OPENCODE_CONFIG": str(self.files / "opencode" / "opencode.json"),
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
        }

    def run(self, *command: str, without: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """A program, run to its end in a folder of its own, without the variable `without`."""
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        environment = {name: value for name, value in (self.environment | more).items() if name != without}
        return subprocess.run(
            ["nice", "-n", "19", *command],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def count_routes(self) -> Counter[str]:
        """How often each route of the gateway's was asked for, by now."""
        lines = [json.loads(line) for line in self.access_log.read_text().splitlines() if line[:1] == "{"]
        return Counter(line["route"] for line in lines if line["route"] != "health")

    def install(self, package: str) -> Path:
        """A package of npm's, in the temporary folder; returns where it put programs."""
        folder = self.folder / re.sub(r"\W", "-", package)
        folder.mkdir()
        command = [
            "npm",
            "install",
            "--prefix",
            str(folder),
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            package,
        ]
        # npm as the person has it: its cache, its registry, and the certificates that it trusts.
        done = subprocess.run(
            ["nice", "-n", "19", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return folder / "node_modules" / ".bin"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk with `aigateway up` on it, and what `aigateway clients` wrote for that."""
    from conftest import make_machine

    if shutil.which("npm") is None:
        pytest.fail(f"npm is not installed, and {VARIABLE}=1 says that clients have to be tried")
    folder = tmp_path_factory.mktemp("desk")
    machine = replace(make_machine(folder), keep_cache=True)
    leave_evidence(machine.checkout, "local")
    log = folder / "up.log"
    with log.open("w") as file:
        up = subprocess.Popen(
            [Path(sys.executable).with_name("aigateway"), "up", "dev", "--launcher", "process"],
            cwd=machine.checkout,
            env=machine.environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        wait_until(lambda: "Ctrl-C stops it." in log.read_text() or up.poll() is not None, seconds=SECONDS)
        said = log.read_text()
        found = re.search(r"base URL +(\S+)/v1\n +key +(\S+)", said)
        assert found, said
        suggested = re.search(r"`aigateway (clients .*?)`", said)
        assert suggested, said
        files = folder / "files"
        # To end a command, a machine ends all that has its temporary folder: the gateway keeps its own.
        done = replace(machine, temporary=tmp_path_factory.mktemp("command")).run(
            *suggested[1].split(), "--write", str(files)
        )
        assert done.returncode == 0, done.stderr
        (folder / "home").mkdir()
        (access_log,) = machine.temporary.glob("aigateway-envoy-*/log")
        yield Desk(folder, files, found[1], found[2], access_log)
    finally:
        if up.poll() is None:
            up.send_signal(signal.SIGTERM)
            up.wait(timeout=60)
        machine.kill(up)  # type: ignore[arg-type]
        # Some gigabyte of packages.
        shutil.rmtree(folder, ignore_errors=True)


#: The route of each of the APIs of which the doctor tries one for a client.
ROUTES: Mapping[Api, str] = {
    "responses": "responses",
    "chat completions": "chat-completions",
    "embeddings": "embeddings",
}


@contextmanager
def expect_api(desk: Desk, client: ClientName) -> Iterator[None]:
    """What runs meanwhile asks the gateway by the API that the doctor tries for this client, and by no other."""
    before = desk.count_routes()
    yield
    # Envoy writes its lines out five times a second.
    assert wait_until(lambda: desk.count_routes() != before, seconds=10), "the gateway was not asked"
    asked = set(desk.count_routes() - before) - {"models"}
    assert asked == {ROUTES[CLIENTS[client].api]}


def read_events(text: str) -> list[Mapping[str, object]]:
    """The lines of a program's output that are JSON objects."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_codex(desk: Desk) -> None:
    codex = str(desk.install("@openai/codex@0.171.0") / "codex")
    home = Path(desk.environment["CODEX_HOME"])
    home.mkdir(parents=True)
    shutil.copy(desk.files / "codex" / "config.toml", home)
    options = ("--strict-config", "--skip-git-repo-check", "--json")

    def read_answer(done: subprocess.CompletedProcess[str]) -> str:
        assert done.returncode == 0, done.stdout + done.stderr
        items = [event.get("item") or {} for event in read_events(done.stdout)]
        texts = [item["text"] for item in items if item.get("type") == "agent_message"]  # type: ignore[attr-defined,index]
        return str(texts[-1])

    with expect_api(desk, "codex"):
        assert read_answer(desk.run(codex, "exec", *options, ASKED)) == "it works"
    # It keeps the conversation, and sends it back with the reasoning that only Azure can read.
    read_answer(desk.run(codex, "exec", *options, "Please remember the word: zebra"))
    resumed = desk.run(codex, "exec", "resume", "--last", *options, "Which word did I ask you to remember?")
    assert read_answer(resumed) == "zebra"
    # It shortens a long one by itself, without help of the server's.
    shortened = desk.run(
        codex, "exec", "resume", "--last", "-c", "model_auto_compact_token_limit=3000", *options, ASKED
    )
    assert read_answer(shortened) == "it works"
    keyless = desk.run(codex, "exec", *options, ASKED, without=KEY_VARIABLE)
    assert keyless.returncode != 0
    assert f"Missing environment variable: `{KEY_VARIABLE}`" in keyless.stdout
    assert "aigateway clients dev --client codex" in keyless.stdout
    wrong = desk.run(codex, "exec", *options, ASKED, **{KEY_VARIABLE: "sk-wrong"})
    assert wrong.returncode != 0
    assert "401" in wrong.stdout


@pytest.mark.parametrize(
    ("package", "program"), [("opencode-ai@1.18.33", "opencode"), ("@kilocode/cli@7.7.7", "kilo")]
)
def test_opencode_and_kilo(desk: Desk, package: str, program: Literal["opencode", "kilo"]) -> None:
    command = str(desk.install(package) / program)
    with expect_api(desk, program):
        done = desk.run(command, "run", "--format", "json", ASKED)
    texts = [event["part"]["text"] for event in read_events(done.stdout) if event["type"] == "text"]  # type: ignore[index]
    assert done.returncode == 0, done.stdout + done.stderr
    # The simulated model echoes the quotation marks that they put around what is asked.
    assert [text.strip('"') for text in texts] == ["it works"]
    if program == "kilo":
        checked = desk.run(command, "config", "check")
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_cline(desk: Desk) -> None:
    programs = desk.install("cline@3.0.65")
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    data = str(desk.folder / "cline-data")
    script = str(desk.files / "cline" / "cline.sh")
    done = desk.run("sh", script, "--data-dir", data, PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    with expect_api(desk, "cline"):
        answered = desk.run("cline", "--data-dir", data, "--json", ASKED, PATH=path)
    results = [event for event in read_events(answered.stdout) if event.get("type") == "run_result"]
    assert [result["text"] for result in results] == ["it works"], answered.stdout[-2000:]


def test_continue(desk: Desk) -> None:
    program = str(desk.install("@continuedev/cli@1.5.47") / "cn")
    with expect_api(desk, "continue"):
        done = desk.run(program, "--config", str(desk.files / "continue" / "config.yaml"), "-p", ASKED)
    assert done.stdout.strip() == "it works", done.stdout + done.stderr


def test_openais_packages(desk: Desk) -> None:
    expected = "it works\n3072 dimensions\n"
    python = desk.run(sys.executable, str(desk.files / "openai" / "try.py"))
    assert python.stdout == expected, python.stderr
    folder = desk.install("openai@7.59.0").parents[1]
    shutil.copy(desk.files / "openai" / "try.mjs", folder)
    node = desk.run("node", str(folder / "try.mjs"))
    assert node.stdout == expected, node.stderr


@pytest.mark.parametrize("client", ["roo", "roo-compatible"])
def test_roos_own_schema_takes_its_file_and_drops_nothing(desk: Desk, client: Client) -> None:
    folder = desk.folder / "roo-types"
    if not folder.exists():
        desk.install("@roo-code/types@1.115.0").parents[1].rename(folder)
    # As Roo does when it imports, but for keys that it does not know, which it drops in silence.
    script = """
const types = require("@roo-code/types");
const {providerProfiles, globalSettings} = JSON.parse(require("fs").readFileSync(0, "utf8"));
types.globalSettingsSchema.strict().parse(globalSettings);
types.codebaseIndexConfigSchema.strict().parse(globalSettings.codebaseIndexConfig);
for (const profile of Object.values(providerProfiles.apiConfigs)) {
  types.providerSettingsWithIdSchema.strict().parse(profile);
  if (profile.openAiCustomModelInfo) types.modelInfoSchema.strict().parse(profile.openAiCustomModelInfo);
}
console.log(JSON.stringify(Object.keys(types.openAiNativeModels)));
"""
    (file,) = make_kit(ROOT, point_at(desk.base_url), client).files
    done = subprocess.run(
        ["node", "-e", script], cwd=folder, input=file.text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == ROO_MODELS


def test_continues_own_schema_takes_its_file(desk: Desk) -> None:
    folder = desk.install("@continuedev/config-yaml@1.42.0").parents[1]
    script = """
import {configYamlSchema} from "@continuedev/config-yaml";
import {readFileSync} from "node:fs";
import {parse} from "yaml";
configYamlSchema.strict().parse(parse(readFileSync(process.argv[2], "utf8")));
"""
    (folder / "check.mjs").write_text(script)
    done = desk.run("node", str(folder / "check.mjs"), str(desk.files / "continue" / "config.yaml"))
    assert done.returncode == 0, done.stderr


def test_qoder_reads_its_file_as_far_as_it_goes_without_a_login(desk: Desk) -> None:
    program = str(desk.install("@qoder-ai/qodercli@1.1.52") / "qodercli")
    folder = desk.folder / "qoder-config"
    folder.mkdir()
    shutil.copy(desk.files / "qoder" / "settings.json", folder)
    command = (program, "--config-dir", str(folder), "-m", f"{point_at().id}/gpt-5.3-codex", "-p", ASKED)
    # It says what it ignores of a file, and asks for a login only then.
    done = desk.run(*command)
    assert (done.stdout + done.stderr).strip() == "Not logged in · Please run /login"
    path = folder / "settings.json"
    path.write_text(path.read_text().replace("openai-responses", "nonsense"))
    spoiled = desk.run(*command)
    assert "Ignored invalid setting" in spoiled.stdout + spoiled.stderr
