"""Free ports of this machine."""

from __future__ import annotations

import socket

from aigateway.errors import LaunchError


def find_free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free_port(port: int, host: str = "127.0.0.1") -> None:
    """Raises LaunchError when somebody listens on `port` already."""
    with socket.socket() as probe:
        # A port whose last connections are still closing is free, as it is for the servers.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LaunchError(
                f"port {port} of {host} cannot be used: {error.strerror}; choose another with --port, "
                f"or leave it out for a free one"
            ) from error
