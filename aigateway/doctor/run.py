"""All checks of a run: side by side where they can be, within a deadline and a token budget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import httpx

from aigateway.acceptance.budget import open_budget
from aigateway.acceptance.redaction import Redactor
from aigateway.doctor import catalogue as known
from aigateway.doctor import checks, client_checks
from aigateway.doctor.catalogue import CHECKS, Check
from aigateway.doctor.checks import Visit
from aigateway.doctor.clients import CLIENTS
from aigateway.doctor.dialing import DaemonThreads, make_context
from aigateway.doctor.proxies import find_way
from aigateway.doctor.question import Question
from aigateway.doctor.requests import Purse, plan_requests
from aigateway.doctor.results import CheckResult, Diagnosis, Found, complain, leave_unchecked

CheckFunction = Callable[[Visit], Awaitable[Found]]

_FUNCTIONS: Mapping[Check, CheckFunction] = {
    known.BASE_URL: checks.check_base_url,
    known.PROXY: checks.check_proxy,
    known.KEY_FORM: checks.check_key_form,
    known.NAME: checks.check_name,
    known.CONNECTION: checks.check_connection,
    known.TLS: checks.check_tls,
    known.GATEWAY: checks.check_gateway,
    known.CLOCK: checks.check_clock,
    known.BETWEEN: checks.check_between,
    known.KEY: checks.check_key,
    known.MODELS: checks.check_models,
    known.RESPONSES: checks.check_responses,
    known.STREAMING: checks.check_streaming,
    known.EMBEDDINGS: checks.check_embeddings,
    known.CLIENT_URL: client_checks.check_client_url,
    known.CLIENT_REQUEST: client_checks.check_client_request,
    known.INDEXING: client_checks.check_indexing,
    known.WEBSOCKET: client_checks.check_websocket,
    known.ROO_MODEL: client_checks.check_roo_model,
    known.ROO_ERRORS: client_checks.check_roo_errors,
    known.STORED: client_checks.check_stored,
}
_CLIENTS_OWN = {check for client in CLIENTS.values() for check in client.checks}


def diagnose(question: Question, tell: Callable[[CheckResult], None] = lambda _result: None) -> Diagnosis:
    """Make the checks; `tell` hears of each as it ends, with nothing secret in it."""
    redactor = Redactor(frozenset({question.key.value}))
    started = time.monotonic()
    with open_budget(question.token_budget) as budget, asyncio.Runner() as runner:
        assert budget  # noqa: S101 - there is one where a number is given
        purse = Purse(budget)
        results = runner.run(_examine(question, purse, lambda result: tell(redactor.redact_model(result))))
        most, spent = purse.finish()
    diagnosis = Diagnosis(
        base_url=question.address.root,
        model=question.expected.model,
        embedding_model=question.expected.embedding_model,
        dimensions=question.expected.dimensions,
        client=question.client or "",
        seconds=round(time.monotonic() - started, 3),
        token_budget=question.token_budget,
        tokens_at_most=most,
        tokens=spent,
        checks=results,
    )
    return redactor.redact_model(diagnosis)


async def _examine(
    question: Question, purse: Purse, tell: Callable[[CheckResult], None]
) -> tuple[CheckResult, ...]:
    asyncio.get_running_loop().set_default_executor(DaemonThreads())
    chosen = _choose(question)
    requests = plan_requests(question)
    purse.reserve(requests)
    way = find_way(question.address, question.environment)
    async with httpx.AsyncClient(
        verify=make_context(),
        proxy=way.proxy.url if way.proxy else None,
        trust_env=False,
        timeout=None,  # noqa: S113 - each check has a time of its own
        # A stream that is packed is collected first.
        headers={"user-agent": "aigateway-doctor", "accept-encoding": "identity"},
    ) as http:
        visit = Visit(question, way, requests, purse, http)
        return await Round(visit, chosen, tell).make()


def _choose(question: Question) -> tuple[Check, ...]:
    own = CLIENTS[question.client].checks if question.client else ()
    return tuple(check for check in CHECKS if check not in _CLIENTS_OWN or check in own)


class Round:
    """The checks of a run, each of which waits for those that it needs."""

    def __init__(self, visit: Visit, chosen: tuple[Check, ...], tell: Callable[[CheckResult], None]) -> None:
        self._visit = visit
        self._chosen = chosen
        self._tell = tell
        self._patience = visit.question.patience
        self._deadline = time.monotonic() + self._patience.deadline
        self._found: dict[str, Found] = {}
        self._tasks: dict[str, asyncio.Task[CheckResult]] = {}

    async def make(self) -> tuple[CheckResult, ...]:
        """Make them all; what is under way at the deadline is left unchecked."""
        for check in self._chosen:
            self._tasks[check.id] = asyncio.create_task(self._make(check))
        return tuple([await self._tasks[check.id] for check in self._chosen])

    async def _make(self, check: Check) -> CheckResult:
        await asyncio.gather(*(self._tasks[name] for name in check.needs))
        started = time.monotonic()
        found = self._find_hindrance(check) or await self._try(check)
        self._found[check.id] = found
        result = CheckResult.of(check, found, time.monotonic() - started)
        self._tell(result)
        return result

    def _find_hindrance(self, check: Check) -> Found | None:
        """Why a check cannot be made."""
        for name in check.needs:
            if self._found[name].blocks:
                needed = next(one for one in CHECKS if one.id == name)
                failed = "was not checked" if not self._found[name].checked else "failed"
                return leave_unchecked(f"'{needed.title}' {failed}")
        if refusal := self._visit.purse.refusals.get(check.id):
            return leave_unchecked(refusal)
        if time.monotonic() >= self._deadline:
            return self._leave()
        return None

    async def _try(self, check: Check) -> Found:
        own = self._patience.limit(check)
        left = self._deadline - time.monotonic()
        try:
            async with asyncio.timeout(min(own, left)):
                return await _FUNCTIONS[check](self._visit)
        except TimeoutError:
            if left < own:
                return self._leave()
            trouble = known.NAME_SLOW if check is known.NAME else known.NO_ANSWER
            if check in (known.CONNECTION, known.TLS):
                trouble = known.UNREACHABLE
            return complain(trouble, f"nothing came within {own:.0f} s")

    def _leave(self) -> Found:
        return leave_unchecked(f"the {self._patience.deadline:.0f} s of a run were over")
