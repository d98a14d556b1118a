"""A place to set up gateways and proxies in, and to have the doctor look at them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from fake_gateways import KEY, FakeGateway, StreamHandler, serve, serve_raw

from aigateway.doctor.clients import ClientName
from aigateway.doctor.question import Patience, find_expectations, put_question
from aigateway.doctor.results import Diagnosis
from aigateway.doctor.run import diagnose

#: A deadline that a busy machine keeps, and what is told as slow.
PATIENCE = Patience(deadline=100, longest=60, slow_gateway=30, slow_first_event=30, silence=30, stretch=10)


@dataclass(frozen=True)
class Lab:
    """What is set up in it ends with the test."""

    undo: ExitStack
    patch: pytest.MonkeyPatch
    folder: Path
    authority: trustme.CA

    def serve(self, gateway: FakeGateway | None = None, tls: ssl.SSLContext | None = None) -> FakeGateway:
        host = "localhost" if tls else "127.0.0.1"
        return self.undo.enter_context(serve(gateway or FakeGateway(), tls, host))

    def serve_raw(self, handle: StreamHandler) -> str:
        return self.undo.enter_context(serve_raw(handle))

    def make_tls(
        self, *names: str, not_before: datetime | None = None, not_after: datetime | None = None
    ) -> ssl.SSLContext:
        """A server's side, its certificate by an authority that nobody knows yet."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        names = names or ("localhost",)
        self.authority.issue_cert(*names, not_before=not_before, not_after=not_after).configure_cert(context)
        return context

    @property
    def root_file(self) -> Path:
        path = self.folder / "root.pem"
        self.authority.cert_pem.write_to_path(path)
        return path

    def trust(self) -> None:
        """This machine is told to trust that authority, as it is an organisation's proxy."""
        self.patch.setenv("SSL_CERT_FILE", str(self.root_file))

    def examine(
        self,
        url: str,
        client: ClientName | None = None,
        *,
        key: str = KEY,
        environment: Mapping[str, str] = {},
        token_budget: int = 5_000,
        model: str = "",
        dimensions: int | None = None,
        **patience: Any,
    ) -> Diagnosis:
        """The doctor's word, which never holds the key."""
        variables = {"AIGATEWAY_KEY": key, **environment}
        expected = find_expectations("", model, "", dimensions)
        question = put_question(url, expected, client, token_budget, variables)
        values = {name: getattr(PATIENCE, name) for name in PATIENCE.__dataclass_fields__} | patience
        object.__setattr__(question, "patience", Patience(**values))
        diagnosis = diagnose(question)
        assert KEY not in diagnosis.model_dump_json()
        return diagnosis
