"""The way to the gateway before any request: names, ports, a proxy's tunnel, TLS. No key is ever sent here."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import re
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import certifi

from aigateway.doctor.address import Address
from aigateway.doctor.catalogue import (
    NAME_UNKNOWN,
    PORT_CLOSED,
    PROXY_REFUSES,
    PROXY_WANTS_LOGIN,
    TLS_BROKEN,
    UNREACHABLE,
)
from aigateway.doctor.proxies import Proxy
from aigateway.doctor.results import Complaint

T = TypeVar("T")

_MOST_LINES = 100
# As Node's and curl's: an address that does not answer does not hold up the others (RFC 8305, 5).
_NEXT_ADDRESS_SECONDS = 0.25


# What is raised where no answer in HTTP comes.
_NO_HTTP = (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


class DaemonThreads(ThreadPoolExecutor):
    """An event loop's threads that do not keep the program from ending: a DNS look-up cannot be cancelled."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run it in a thread of its own."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - it is whoever waits who gets it
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future


class DialError(Exception):
    """There is no connection; `complaint` says why."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.said)
        self.complaint = complaint


@dataclass(frozen=True)
class Line:
    """A connection that is open."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def tls(self) -> ssl.SSLObject:
        """TLS on it, where there is."""
        found: ssl.SSLObject = self.writer.get_extra_info("ssl_object")
        return found


def make_context() -> ssl.SSLContext:
    """Trusts whom this machine trusts, and the public roots, which some Pythons do not find there."""
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    return context


async def look_up(host: str, port: int) -> tuple[str, ...]:
    """The addresses of a name; raises DialError where there are none."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "it is no name of a host"
        raise DialError(Complaint(NAME_UNKNOWN, f"{host}: {reason}")) from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


@asynccontextmanager
async def dial(
    address: Address, proxy: Proxy | None, context: ssl.SSLContext | None = None
) -> AsyncIterator[Line]:
    """A connection to the gateway, through the proxy if there is one, with TLS if there is a `context`.

    Raises DialError where there is none, and what ssl raises of a handshake.
    """
    line = await _connect(proxy.host if proxy else address.host, proxy.port if proxy else address.port, proxy)
    try:
        if proxy and address.is_tls:
            await _open_tunnel(line, address, proxy)
        if context:
            await _start_tls(line, address, context)
        yield line
    finally:
        line.writer.transport.abort()


async def _connect(host: str, port: int, proxy: Proxy | None) -> Line:
    who = f"the proxy {proxy}" if proxy else f"{host}:{port}"
    context = make_context() if proxy and proxy.scheme == "https" else None
    try:
        return Line(
            *await asyncio.open_connection(
                host, port, ssl=context, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS
            )
        )
    except ConnectionRefusedError as error:
        raise DialError(Complaint(PORT_CLOSED, f"{who} refuses the connection")) from error
    except ssl.SSLError as error:
        raise DialError(Complaint(TLS_BROKEN, f"{who}: {error.reason or 'TLS fails'}")) from error
    except OSError as error:
        if isinstance(error, socket.gaierror):
            raise DialError(Complaint(NAME_UNKNOWN, f"{host}: {error.strerror}")) from error
        # Where there are several addresses, asyncio joins their errors into the text of one.
        numbers = {int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))}
        trouble = PORT_CLOSED if numbers == {errno.ECONNREFUSED} else UNREACHABLE
        raise DialError(Complaint(trouble, f"{who}: {error.strerror or error}")) from error


async def _open_tunnel(line: Line, address: Address, proxy: Proxy) -> None:
    host = f"[{address.host}]" if ":" in address.host else address.host
    head = [f"CONNECT {host}:{address.port} HTTP/1.1", f"Host: {host}:{address.port}"]
    if proxy.login:
        login = base64.b64encode(":".join(proxy.login).encode()).decode()
        head.append(f"Proxy-Authorization: Basic {login}")
    line.writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    try:
        status, _ = await read_head(line)
    except _NO_HTTP as error:
        raise DialError(Complaint(PROXY_REFUSES, f"{proxy} breaks off, or is no proxy")) from error
    if status == 407:
        raise DialError(Complaint(PROXY_WANTS_LOGIN, f"{proxy} answers 407"))
    if not 200 <= status < 300:
        raise DialError(
            Complaint(PROXY_REFUSES, f"{proxy} answers {status} to CONNECT {host}:{address.port}")
        )


async def _start_tls(line: Line, address: Address, context: ssl.SSLContext) -> None:
    try:
        await line.writer.start_tls(context, server_hostname=address.host)
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        said = f"{address.host}:{address.port} ends the connection during the handshake"
        raise DialError(Complaint(TLS_BROKEN, said)) from error


async def read_head(line: Line) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer; raises ValueError for what is none."""
    first = (await line.reader.readuntil(b"\n")).decode("latin-1").split(None, 2)
    if len(first) < 2 or not first[0].startswith("HTTP/") or not first[1].isdigit():
        raise ValueError("no answer in HTTP")
    headers = {}
    for _ in range(_MOST_LINES):
        name, colon, value = (await line.reader.readuntil(b"\n")).decode("latin-1").partition(":")
        if not colon:
            break
        headers[name.strip().lower()] = value.strip()
    return int(first[1]), headers


async def ask_without_key(address: Address, proxy: Proxy | None, context: ssl.SSLContext) -> dict[str, str]:
    """Headers of an answer to somebody whose certificate was not checked; none where there is no answer."""
    with contextlib.suppress(DialError, *_NO_HTTP):
        async with dial(address, proxy, context) as line:
            line.writer.write(
                f"GET /healthz HTTP/1.1\r\nHost: {address.host}\r\nConnection: close\r\n\r\n".encode()
            )
            return (await read_head(line))[1]
    return {}
