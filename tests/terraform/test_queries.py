"""The queries for Log Analytics: Microsoft's own language service reads each, against the tables' columns.

Columns: learn.microsoft.com/azure/azure-monitor/reference/tables, as of November 2026; `_LogOperation` is a view.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from terraforming import MODULE, ROOT, give_up, prepare

from aigateway.rendering.edge import derive_edge
from aigateway.rendering.renderer import ENVOY, render_environment
from aigateway.settings.loading import load_environment

HERE = Path(__file__).parent / "kusto"
QUERIES = ROOT / MODULE / "queries"
TEXTS = {
    str(path.relative_to(QUERIES)): path.read_text(encoding="utf-8")
    for path in sorted(QUERIES.rglob("*.kql"))
}

Answers = Mapping[str, Mapping[str, Any]]


def _install() -> Path:
    """The language service, once for each version; npm keeps to the lock."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        give_up("npm is not installed, and the Kusto language service comes from there")
    lock = (HERE / "package-lock.json").read_bytes()
    folder = ROOT / "build" / "kusto" / hashlib.sha256(lock).hexdigest()[:12]
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(npm, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            give_up(f"the Kusto language service cannot be installed: {done.stderr.strip()[-500:]}")
        (folder / "complete").touch()
    # Node looks for packages beside the script.
    shutil.copy(HERE / "check.js", folder)
    return folder / "check.js"


def _ask(queries: Mapping[str, str]) -> Answers:
    tables = json.loads((HERE / "tables.json").read_text(encoding="utf-8"))
    done = subprocess.run(
        ["node", _install()],
        input=json.dumps({"tables": tables, "queries": queries}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answers: Answers = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def answers() -> Answers:
    return _ask(TEXTS)


@pytest.mark.parametrize("query", TEXTS)
def test_a_query_is_right(answers: Answers, query: str) -> None:
    assert answers[query]["problems"] == []


@pytest.mark.parametrize("query", TEXTS)
def test_a_query_begins_with_what_it_shows(query: str) -> None:
    title, _, text = TEXTS[query].partition("\n")
    assert re.fullmatch(r"// [A-Z].{20,}[^.]", title)
    assert text.strip()


def test_a_mistake_is_found() -> None:
    wrong = {
        "column": "ContainerAppHTTPLogs | where Statuscode == 500",
        "table": "ContainerAppHTTPLogs_CL | count",
        "syntax": "ContainerAppHTTPLogs | summarize count( by Path",
        "type": "ContainerAppHTTPLogs | where RequestDuration has 'slow' | extend a = b",
    }
    said = _ask(wrong)
    assert "1:30" in said["column"]["problems"][0]
    assert [query for query in wrong if not said[query]["problems"]] == []


def test_an_alert_measures_a_number_that_its_query_has(answers: Answers, copy: Path) -> None:
    done = prepare(copy / "infra" / "env" / "prod").test()
    done.require_passed()
    alerts = {
        address: after["criteria"][0]
        for address, after in done.find_plan("plan").items()
        if ".azurerm_monitor_scheduled_query_rules_alert_v2." in f".{address}"
    }
    assert len(alerts) == 10
    files = {text.strip(): name for name, text in TEXTS.items()}
    for address, criteria in alerts.items():
        columns = answers[files[criteria["query"]]]["columns"]
        assert columns[criteria["metric_measure_column"]] in ("long", "real"), address
        assert {dimension["name"] for dimension in criteria["dimension"]} <= set(columns), address
    used = {files[criteria["query"]] for criteria in alerts.values()}
    assert used == {name for name in TEXTS if name.startswith("alerts/")}


# --- the access log's own words


def _list_log_fields() -> set[str]:
    """The fields of a line of the access log, as Envoy is told to write it."""
    config = yaml.safe_load(re.sub(r"\$\{\w+\}", "1", render_environment(ROOT, "dev").texts[ENVOY]))
    (chain,) = config["static_resources"]["listeners"][0]["filter_chains"]
    (log,) = chain["filters"][0]["typed_config"]["access_log"]
    return set(log["typed_config"]["log_format"]["json_format"])


def test_what_queries_read_of_a_line_is_in_it() -> None:
    read = {name: set(re.findall(r"\bLine\.(\w+)", text)) for name, text in TEXTS.items()}
    assert set().union(*read.values()) <= _list_log_fields()
    assert sum(map(bool, read.values())) >= 8


def test_an_azure_that_says_nothing_is_a_failure() -> None:
    """The client is told 408 then, which the ingress' own log has as the client's fault."""
    blaming = {name for name, text in TEXTS.items() if '"azure"' in text}
    assert len(blaming) == 5
    assert [name for name in blaming if not re.search("[!=]= 408", TEXTS[name])] == []


def test_the_routes_that_queries_name_are_served() -> None:
    served = {route.name for route in derive_edge(load_environment(ROOT, "dev")).routes}
    named = set(re.findall(r'"(responses|chat-completions|embeddings|models)"', "".join(TEXTS.values())))
    assert {"responses", "chat-completions", "embeddings"} <= named <= served
