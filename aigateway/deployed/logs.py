"""The central log of an environment: what its containers print comes to tables of Log Analytics, minutes later."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Collection

from aigateway.deployed.login import use_azure
from aigateway.errors import AigatewayError

_ROLE = "Log Analytics Reader"
_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_RESOURCE = r"/subscriptions/.+/workspaces/[^/]+"

# Where the environment's logs go by a diagnostic setting, and where they go straight to the workspace (names in _CL and
# _s). A table comes to be with its first line; the first leg is always there, so that the union can be made.
_QUERY = """\
union isfuzzy=true (datatable(Log: string)[]), ContainerAppConsoleLogs, ContainerAppConsoleLogs_CL
| extend Line = strcat(column_ifexists("Log", ""), column_ifexists("Log_s", ""))
| where {condition}
| project Line"""


def read_workspace(text: str) -> str:
    """`text` as the id of a Log Analytics workspace: the workspace's own, or that of the Azure resource.

    Raises AigatewayError when it is neither.
    """
    if re.fullmatch(f"{_GUID}|{_RESOURCE}", text):
        return text
    raise AigatewayError(
        f"{text!r} is no id of a Log Analytics workspace, which is like "
        "01234567-89ab-cdef-0123-456789abcdef or /subscriptions/…/workspaces/NAME"
    )


def find_log_lines(workspace: str, words: Collection[str], hours: float) -> list[str]:
    """Every line of the last `hours` with one of the `words` in it, as it was printed.

    Raises AigatewayError when the workspace cannot be asked.
    """
    condition = " or ".join(f"Line contains {json.dumps(word)}" for word in words)
    query = _QUERY.format(condition=condition)
    timespan = datetime.timedelta(hours=hours)
    with use_azure(f"asking the Log Analytics workspace {workspace}", _ROLE):
        from azure.identity import DefaultAzureCredential
        from azure.monitor.query import LogsQueryClient, LogsQueryResult

        with DefaultAzureCredential() as credential, LogsQueryClient(credential, retry_total=2) as client:
            ask = client.query_resource if workspace.startswith("/") else client.query_workspace
            answer = ask(workspace, query, timespan=timespan)
    if not isinstance(answer, LogsQueryResult):
        raise AigatewayError(
            f"the Log Analytics workspace {workspace} answered only a part: {answer.partial_error}"
        )
    return [str(row["Line"]) for table in answer.tables for row in table.rows]
