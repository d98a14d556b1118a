"""Being logged in to Azure: by `az login`, by a workflow's OIDC, as a managed identity; whichever azure-identity finds.

Azure's packages are an extra, and slow to import: only what needs them imports them, inside `use_azure`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aigateway.errors import AigatewayError

INSTALL = ".venv/bin/pip install --editable '.[azure]'"


@contextmanager
def use_azure(task: str, role: str) -> Iterator[None]:
    """Say in one line why `task` failed, where Azure's packages raise; `role` is what it takes in Azure.

    Raises AigatewayError.
    """
    try:
        from azure.core.exceptions import AzureError
    except ImportError as error:
        raise AigatewayError(f"{task} takes Azure's packages; run: {INSTALL}") from error
    # The packages warn of each way to log in that they tried in vain; the last resort would print that.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    try:
        yield
    except AzureError as error:
        raise AigatewayError(f"{task} failed: {_explain(error, role)}") from error


def _explain(error: Exception, role: str) -> str:
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    status = getattr(getattr(error, "response", None), "status_code", None)
    said = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return f"no answer; does it exist, and is there a network? ({said})"
    if status == 401 or (status is None and "expired" in str(error)):
        return "the login to Azure has expired, or is for another tenant; run: az login"
    if status is None and _is_login_missing(error):
        return "nobody is logged in to Azure here; run: az login"
    if status == 403:
        return f"whoever is logged in may not; it takes the role {role}, and a firewall that lets this address in"
    return said


def _is_login_missing(error: BaseException | None) -> bool:
    from azure.core.exceptions import ClientAuthenticationError

    # What reads logs raises an error of its own for it.
    return error is not None and (
        isinstance(error, ClientAuthenticationError) or _is_login_missing(error.__context__)
    )
