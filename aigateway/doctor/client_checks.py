"""The checks of one client's own ways."""

from __future__ import annotations

import re

from aigateway.doctor.address import Address
from aigateway.doctor.answers import Answer, judge_refusal, judge_upgrade
from aigateway.doctor.catalogue import (
    CLIENT_REQUEST,
    CODEX_SEES_AZURE,
    ENDPOINT_MISSING,
    INDEXING,
    NOT_STORED,
    ROO_ERRORS,
    ROO_HIDES_ERRORS,
    ROO_MODEL_UNKNOWN,
    URL_NEEDS_V1,
    URL_WITH_V1,
)
from aigateway.doctor.checks import BrokenError, Visit, judge_embeddings
from aigateway.doctor.clients import CLIENTS, Client
from aigateway.doctor.requests import BATCH
from aigateway.doctor.results import Complaint, Found, complain, leave_unchecked
from aigateway.doctor.streams import Stream, judge_answer, judge_chat
from aigateway.doctor.traps import ROO_MODELS, find_roo_dimensions, is_azure_to_codex

# The id goes into a path, and comes from outside.
_ID = re.compile(r"[A-Za-z0-9_=-]{1,2000}")

# As RFC 6455, 4.1, has it; the nonce is nobody's secret.
_UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "YWlnYXRld2F5IGRvY3Rvcg==",
}


def _find_client(visit: Visit) -> Client:
    if visit.question.client is None:
        raise LookupError("no client was named")
    return CLIENTS[visit.question.client]


async def check_client_url(visit: Visit) -> Found:
    """Is the base URL in the form that it wants?"""
    return judge_client_url(visit.question.address, _find_client(visit))


def judge_client_url(address: Address, client: Client) -> Found:
    """What is to be entered where, and whether the client takes it for what it is."""
    wanted = address.root if client.form == "without /v1" else f"{address.root}/v1"
    said = f"{wanted} ({client.where})"
    troubles = []
    if address.has_v1 != (client.form == "with /v1"):
        troubles.append(URL_WITH_V1 if address.has_v1 else URL_NEEDS_V1)
    if client.name == "codex" and is_azure_to_codex(wanted):
        troubles.append(CODEX_SEES_AZURE)
    return Found(said, tuple(Complaint(trouble, said) for trouble in troubles))


async def check_client_request(visit: Visit) -> Found:
    """Is a request as it sends it taken?"""
    client = _find_client(visit)
    path = visit.requests[CLIENT_REQUEST.id].path
    try:
        heard = await visit.listen(CLIENT_REQUEST.id, visit.question.patience.limit(CLIENT_REQUEST))
    except BrokenError as error:
        return Found(error.complaint.said, (error.complaint,))
    if isinstance(heard, Answer):
        refusal = judge_refusal(heard, path, visit.host)
        heard = Stream(heard.headers, (), heard.seconds)
        if refusal:
            return refusal
    visit.client_stream = heard
    if client.api == "chat completions":
        return judge_chat(heard)
    found = judge_answer(heard)
    return found if found.complaints else Found(f"taken: {len(heard.events)} events")


async def check_indexing(visit: Visit) -> Found:
    """Is a batch answered as its index needs it?"""
    client, model = _find_client(visit), visit.question.expected.embedding_model
    roo_dimensions = find_roo_dimensions(model) if client.name == "roo-indexing" else None
    return await judge_embeddings(visit, INDEXING.id, BATCH, roo_dimensions)


async def check_websocket(visit: Visit) -> Found:
    """Is it refused with 426?"""
    try:
        answer = await visit.ask("GET", "/v1/responses", headers=_UPGRADE)
    except BrokenError as error:
        return Found(error.complaint.said, (error.complaint,))
    return judge_upgrade(answer, visit.host)


async def check_roo_model(visit: Visit) -> Found:
    """Does Roo ask for the model that it is told to?"""
    if not visit.served:
        return leave_unchecked("/v1/models named no model")
    model = visit.question.expected.model
    return judge_roo_models((model,) if model in visit.served else visit.served)


def judge_roo_models(names: tuple[str, ...]) -> Found:
    """Whether Roo knows any of them."""
    known = [name for name in names if name in ROO_MODELS]
    if not known:
        return complain(ROO_MODEL_UNKNOWN, f"Roo does not know {', '.join(names[:20])}")
    return Found(f"Roo knows {', '.join(known)}")


async def check_roo_errors(visit: Visit) -> Found:
    """Does an error show at the place where Roo looks for it?"""
    if ROO_ERRORS.id not in visit.requests:
        return Found("without /v1, Roo's second attempt is the right one")
    path = visit.requests[ROO_ERRORS.id].path
    try:
        answer = await visit.post(ROO_ERRORS.id)
    except BrokenError as error:
        return Found(error.complaint.said, (error.complaint,))
    refusal = judge_refusal(answer, path, visit.host)
    troubles = {complaint.trouble for complaint in refusal.complaints} if refusal else set()
    if ENDPOINT_MISSING in troubles:
        return Found(
            f"{path} answers 404", (Complaint(ROO_HIDES_ERRORS, f"{path} answers 404 to any error"),)
        )
    return Found(f"{path} tells the real error")


async def check_stored(visit: Visit) -> Found:
    """Is the answer kept? What the doctor left is deleted."""
    found = visit.client_stream.response_id if visit.client_stream else ""
    if not _ID.fullmatch(found):
        return leave_unchecked("the client's request gave no id of an answer")
    path = f"/v1/responses/{found}"
    try:
        answer = await visit.ask("GET", path)
        if answer.status == 200:
            await visit.ask("DELETE", path)
    except BrokenError as error:
        return Found(error.complaint.said, (error.complaint,))
    if answer.status == 200:
        return Found("it was found again, and deleted")
    if answer.status in (400, 404):
        return complain(NOT_STORED, f"GET /v1/responses/ID answers {answer.status}")
    return judge_refusal(answer, "/v1/responses/ID", visit.host) or Found(f"it answers {answer.status}")
