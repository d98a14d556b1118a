"""Registries on this machine: Debian's docker-registry, and one of our own that wants a token, and fails when told."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from aigateway.waiting import wait_until

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
TOKEN = "a-token-for-anybody"
_PATIENCE_SECONDS = 60


def name_digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class FakeRegistry:
    """As Docker Hub and ghcr do it: 401 says where a token is had, and with that there are manifests."""

    url: str = ""
    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    challenge: str = 'Bearer realm="{url}/token",service="registry.test",scope="repository:{name}:pull"'
    token_answer: bytes = json.dumps({"token": TOKEN}).encode()
    code: int | None = None
    says_digest: bool = True
    asked: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def put(self, name: str, tag: str, content: bytes) -> str:
        self.manifests[name, tag] = content
        return name_digest(content)


class _Handler(http.server.BaseHTTPRequestHandler):
    registry: FakeRegistry

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        self.registry.asked.append(f"{self.command} {self.path}")
        code, headers, body = self.find()
        self.send_response(code)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def find(self) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.path)
        if parts.path == "/token":
            right = parse_qs(parts.query).get("service") == ["registry.test"]
            return (200 if right else 400), {}, self.registry.token_answer
        name, _, tag = parts.path.removeprefix("/v2/").partition("/manifests/")
        if self.registry.challenge and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            said = self.registry.challenge.format(url=self.registry.url, name=name)
            return 401, {"WWW-Authenticate": said}, b"{}"
        if self.registry.code:
            return self.registry.code, {}, b"{}"
        content = self.registry.manifests.get((name, tag))
        # A registry converts, or refuses, what the client does not say that it takes.
        if content is None or INDEX_TYPE not in self.headers.get("Accept", ""):
            return 404, {}, b"{}"
        headers = {"Content-Type": INDEX_TYPE}
        if self.registry.says_digest:
            headers["Docker-Content-Digest"] = name_digest(content)
        return 200, headers, content

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_registry() -> Iterator[FakeRegistry]:
    registry = FakeRegistry()
    handler = type("Handler", (_Handler,), {"registry": registry})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    registry.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def find_docker_registry() -> str | None:
    """Debian's package docker-registry, where it is installed."""
    return shutil.which("docker-registry")


@contextmanager
def run_docker_registry(program: str, folder: Path) -> Iterator[str]:
    """The real registry, empty, on a free port; gives its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "config.json"  # JSON is YAML
    storage = {"filesystem": {"rootdirectory": str(folder / "images")}}
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": address}}))
    process = subprocess.Popen(
        (program, "serve", str(config)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://{address}"
    try:
        wait_until(lambda: _answers(url), seconds=_PATIENCE_SECONDS)
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def push_index(url: str, name: str, tag: str) -> str:
    """Push an index of one platform's image, as a client does; gives its digest."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        config = b"{}"
        begun = client.post(f"/v2/{name}/blobs/uploads/")
        where = httpx.URL(begun.headers["location"]).copy_merge_params({"digest": name_digest(config)})
        client.put(where, content=config).raise_for_status()
        blob = {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "size": 2,
            "digest": name_digest(config),
        }
        image = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": blob, "layers": []}
        ).encode()
        _put(client, name, name_digest(image), image, MANIFEST_TYPE)
        platform = {"architecture": "amd64", "os": "linux"}
        member = {
            "mediaType": MANIFEST_TYPE,
            "size": len(image),
            "digest": name_digest(image),
            "platform": platform,
        }
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [member]}).encode()
        _put(client, name, tag, index, INDEX_TYPE)
    return name_digest(index)


def _put(client: httpx.Client, name: str, reference: str, content: bytes, kind: str) -> None:
    answer = client.put(f"/v2/{name}/manifests/{reference}", content=content, headers={"Content-Type": kind})
    answer.raise_for_status()
