"""A plain connection to wherever the gateway is: through this machine's proxy, where its clients have to use one."""

from __future__ import annotations

import http.client
import socket
from base64 import b64encode
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from steps.gateway import PATIENCE_SECONDS


def open_connection(scheme: str, host: str, port: int) -> socket.socket:
    """Connect to a port, whatever will be spoken over the connection."""
    proxy = urlsplit(getproxies().get(scheme, ""))
    if not proxy.hostname or proxy_bypass(host):
        return socket.create_connection((host, port), timeout=PATIENCE_SECONDS)
    tunnel = http.client.HTTPConnection(proxy.hostname, proxy.port or 80, timeout=PATIENCE_SECONDS)
    tunnel.set_tunnel(host, port, _authorize(proxy))
    tunnel.connect()
    return tunnel.sock


def _authorize(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(user.encode()).decode()}"}
