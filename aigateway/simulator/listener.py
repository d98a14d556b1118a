"""One listening address that serves an ASGI application, and can refuse connections for a while.

While it refuses, the port stays bound by a socket that does not listen: the system answers RST to each
connection, as for a service that is down, and nobody else can take the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from aigateway.errors import SimulatorError

_BACKLOG = 2048
_FINISH_SECONDS = 1
# uvicorn looks every 0.1 s whether it is to stop, and takes another 0.1 s to close idle connections
_CLOSING_SECONDS = 0.5
_START_SECONDS = 10.0


class _Server(uvicorn.Server):
    """A server that leaves the process's signals alone: two of them run here, and `server` stops both."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(HttpToolsProtocol):
    """HTTP whose applications may close the connection instead of answering, which ASGI cannot say."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["hang_up"] = self.transport.close


class Listener:
    """Binds at once, so that a taken port is reported before anything runs; serves between `open` and
    `close`."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._socket = _bind(host, port)
        self._port = int(self._socket.getsockname()[1])
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._reopening: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def open(self) -> None:
        """Serve; returns when connections are accepted."""
        config = uvicorn.Config(
            self._app,
            access_log=False,
            log_config=None,
            # A cut stream is on purpose, and uvicorn calls it an error; failures of the app are logged by
            # the app.
            log_level="critical",
            lifespan="off",
            ws="none",
            http=_Protocol,
            backlog=_BACKLOG,
            server_header=False,
            timeout_graceful_shutdown=_FINISH_SECONDS,
            timeout_keep_alive=75,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        async with asyncio.timeout(_START_SECONDS):
            while not self._server.started and not self._serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.005)

    async def refuse(self, seconds: float) -> None:
        """Refuse connections for some seconds; returns when it does and idle connections are closed."""
        if self._reopening is not None:
            self._reopening.cancel()
        else:
            await self._stop(wait=_CLOSING_SECONDS)
            self._socket = _bind(self._host, self._port)
        self._reopening = asyncio.create_task(self._reopen_after(seconds))

    async def close(self) -> None:
        """Stop serving; open answers get a second to finish."""
        if self._reopening is not None:
            self._reopening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reopening
        await self._stop(wait=_FINISH_SECONDS + _CLOSING_SECONDS)
        self._socket.close()

    async def _reopen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.open()
        self._reopening = None

    async def _stop(self, wait: float) -> None:
        if self._server is None or self._serving is None:
            return
        for listening in getattr(self._server, "servers", ()):
            listening.close()
        self._server.should_exit = True
        await asyncio.wait({self._serving}, timeout=wait)
        self._server = self._serving = None


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise SimulatorError(
            f"The simulated Azure cannot listen on {host}:{port} ({error.strerror or error}). Stop what "
            "uses it, or choose another port (0 takes a free one)."
        ) from error
    bound.setblocking(False)
    return bound
