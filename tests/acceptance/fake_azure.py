"""Azure as a machine behind a proxy sees it: a Key Vault, Log Analytics, and a gateway with https, all on this machine.

It is the proxy itself. What is sent to Azure's own names it answers; what is sent to GATEWAY it passes on. So the real
packages of Azure's run unchanged, up to the certificate, and so do the real clients of the gateway.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

GATEWAY = "gateway.test"
VAULT = "pvc-dev-aigateway-kv-san.vault.azure.net"
LOGS = "api.loganalytics.io"
WORKSPACE = "01234567-89ab-cdef-0123-456789abcdef"

_TENANT = "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000"
_SECONDS = 60


@dataclass
class FakeAzure:
    """What it answers, and what it was asked.

    `refusals`: a status and an error by host. `leaky`: Log Analytics has a line with each word that it is asked for;
    if it is `late`, only when it was asked for the word before, and then for something else.
    """

    url: str
    certificate: Path
    gateway: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    read_logs: Callable[[], list[str]] = list
    leaky: bool = False
    late: bool = False
    asked: list[str] = field(default_factory=list)
    questions: list[list[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a command has to see to be behind this proxy, and logged in as a managed identity."""
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), self.url),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
            **{name: str(self.certificate) for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")},
            "IDENTITY_ENDPOINT": f"{self.url}/token",
            "IDENTITY_HEADER": "anything",
        }

    def answer(self, host: str, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        self.asked.append(f"{method} {host}{urlsplit(path).path}")
        if host in self.refusals and headers.get("Authorization"):
            status, code = self.refusals[host]
            return status, {"error": {"code": code, "message": f"the message of {code}"}}
        if host == VAULT:
            return self._answer_vault(path, headers)
        if host == LOGS:
            return self._answer_logs(json.loads(body)["query"])
        return 404, {}

    def _answer_vault(self, path: str, headers: Any) -> tuple[int, Any]:
        if not headers.get("Authorization"):
            return 401, {}
        name = urlsplit(path).path.split("/")[2]
        if name not in self.secrets:
            return 404, {"error": {"code": "SecretNotFound", "message": f"{name} was not found"}}
        return 200, {"value": self.secrets[name], "id": f"https://{VAULT}/secrets/{name}/1", "attributes": {}}

    def _answer_logs(self, query: str) -> tuple[int, Any]:
        words = re.findall(r'contains "([^"]+)"', query)
        leaked = [word for word in words if self.leaky and (self._has_come(word) or not self.late)]
        self.questions.append(words)
        lines = [*self.read_logs(), *(f"somebody printed {word}" for word in leaked)]
        rows = [[line] for line in lines if any(word.lower() in line.lower() for word in words)]
        columns = [{"name": "Line", "type": "string"}]
        return 200, {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}

    def _has_come(self, word: str) -> bool:
        return any(word in question for question in self.questions) and word not in self.questions[-1]


@contextmanager
def run_fake_azure(folder: Path) -> Iterator[FakeAzure]:
    """Answers until the end; `folder` holds its certificate."""
    certificate, key = _make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Handler(_Handler):
        tls = context

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    azure = FakeAzure(f"http://127.0.0.1:{server.server_address[1]}", certificate)
    Handler.azure = azure
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield azure
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    program = shutil.which("openssl")
    assert program, "these tests need openssl"
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ",".join(f"DNS:{name}" for name in (GATEWAY, "*.vault.azure.net", LOGS))
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=fake"
    files = ("-addext", f"subjectAltName={names}", "-keyout", key, "-out", certificate)
    subprocess.run([program, *options.split(), *files], check=True, capture_output=True)
    return certificate, key


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    azure: FakeAzure
    tls: ssl.SSLContext
    host = ""

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with (
            contextlib.suppress(OSError),
            self.tls.wrap_socket(self.connection, server_side=True) as connection,
        ):
            if self.host == GATEWAY:
                _pass_on(connection, urlsplit(self.azure.gateway).port or 0)
            else:
                self._serve(connection)

    def _serve(self, connection: ssl.SSLSocket) -> None:
        self.rfile, self.wfile = connection.makefile("rb"), connection.makefile("wb", buffering=0)
        self.close_connection = False
        while not self.close_connection:
            self.handle_one_request()

    def do_GET(self) -> None:
        if not self.host:  # the machine's own: where a managed identity gets its token
            return self._send(
                200,
                {
                    "access_token": "a-token",
                    "expires_on": str(int(time.time()) + 3600),
                    "resource": "anything",
                    "token_type": "Bearer",
                },
            )
        return self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._send(*self.azure.answer(self.host, self.command, self.path, self.headers, body))

    def _send(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 401:
            self.send_header(
                "WWW-Authenticate", f'Bearer authorization="{_TENANT}", resource="https://vault.azure.net"'
            )
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _pass_on(client: ssl.SSLSocket, port: int) -> None:
    """Carry bytes both ways, as an ingress does that ends TLS."""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as gateway:
        back = threading.Thread(target=_copy, args=(gateway, client), daemon=True)
        back.start()
        _copy(client, gateway)
        back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while piece := source.recv(64 * 1024):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
