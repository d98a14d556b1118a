"""A second try for a scenario that the network failed, on the way to a deployed gateway.

pytest-rerunfailures is not used: it opens a port in every run, and would also repeat what a crashed worker ran.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Generator

import httpx
import openai
import pytest
from _pytest.runner import runtestprotocol
from pytest_bdd.scenario import scenario_wrapper_template_registry

EARLIER_TRIES = pytest.StashKey[tuple[str, ...]]()
_FAILURE = pytest.StashKey[str]()

_NETWORK_FAILURES = (
    openai.APIConnectionError,
    httpx.TransportError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    ssl.SSLError,
)


def list_earlier_tries(item: pytest.Item) -> tuple[str, ...]:
    """Why each try of a scenario failed before this one."""
    return item.stash.get(EARLIER_TRIES, ())


class Retrying:
    """Runs such a scenario once more. What the first try did is not reported, only why it failed."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo and is_network_failure(call.excinfo.value):
            item.stash[_FAILURE] = f"{call.excinfo.typename}: {call.excinfo.value}"[:300]
        return report

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if not isinstance(item, pytest.Function) or item.obj not in scenario_wrapper_template_registry:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if _FAILURE in item.stash:
            item.stash[EARLIER_TRIES] = (item.stash[_FAILURE],)
            # As pytest does before the first try: fixtures are made anew.
            item._initrequest()  # noqa: SLF001 - every plugin that repeats tests has to
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def is_network_failure(error: BaseException) -> bool:
    """Whether no answer came, or not all of it; an assertion is one only if it was made of such an error."""
    return isinstance(error, _NETWORK_FAILURES) or isinstance(error.__cause__, _NETWORK_FAILURES)
