"""The proxy variables, read as Python's and curl's clients read them, and where others read them otherwise.

Node's clients, Codex and Python differ in two ways that hurt (proxy-from-env, reqwest, urllib): which spelling of a
variable they take, and what an entry of NO_PROXY is taken for.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import httpx

from aigateway.doctor.address import Address
from aigateway.doctor.catalogue import (
    NO_PROXY_AMBIGUOUS,
    PROXY_CASES_DIFFER,
    PROXY_FOR_THIS_MACHINE,
    PROXY_UNUSABLE,
    VERIFICATION_OFF,
)
from aigateway.doctor.results import Complaint, Found

_NODE_VERIFICATION = "NODE_TLS_REJECT_UNAUTHORIZED"


@dataclass(frozen=True)
class Proxy:
    """A proxy and, where the variable holds one, its login, which is never shown."""

    variable: str
    scheme: str
    host: str
    port: int
    login: tuple[str, str] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def url(self) -> httpx.URL:
        """With the login, for a client."""
        username, password = self.login or (None, None)
        if username is None:
            return httpx.URL(scheme=self.scheme, host=self.host, port=self.port)
        return httpx.URL(
            scheme=self.scheme, host=self.host, port=self.port, username=username, password=password
        )


@dataclass(frozen=True)
class Way:
    """How the gateway is reached: through `proxy`, or directly."""

    proxy: Proxy | None
    found: Found


def find_way(address: Address, environment: Mapping[str, str]) -> Way:
    """What the variables say about the way to `address`."""
    variable, value = _choose(address, environment)
    complaints = [*_compare_cases(environment), *_judge_node(environment)]
    bypassed = _choose_spelling("no_proxy", environment)[1]
    if not value:
        return Way(
            None,
            Found(
                "none for this address; what an editor is set to (http.proxy) is not seen", tuple(complaints)
            ),
        )
    complaints += _judge_bypasses(address, bypassed)
    if _is_bypassed(address.host.lower(), _split(bypassed)):
        return Way(None, Found(f"{variable} is set, and NO_PROXY exempts the gateway", tuple(complaints)))
    proxy = _read_proxy(variable, value)
    if proxy is None:
        broken = Complaint(PROXY_UNUSABLE, f"{variable} holds no http:// or https:// address of a proxy")
        return Way(None, Found(broken.said, (*complaints, broken)))
    if address.is_here:
        complaints.append(
            Complaint(PROXY_FOR_THIS_MACHINE, f"{variable} sends {address.host} through {proxy}")
        )
    return Way(proxy, Found(f"through {proxy}, of {variable}", tuple(complaints)))


def _choose(address: Address, environment: Mapping[str, str]) -> tuple[str, str]:
    for name in ("https_proxy" if address.is_tls else "http_proxy", "all_proxy"):
        variable, value = _choose_spelling(name, environment)
        if value:
            return variable, value
    return "", ""


def _choose_spelling(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The lower case goes first, as with urllib, httpx and curl."""
    for variable in (name, name.upper()):
        if variable in environment:
            return variable, environment[variable].strip()
    return name, ""


def _read_proxy(variable: str, value: str) -> Proxy | None:
    try:
        # To urlsplit, a bracket in a login is half of an IPv6 address.
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    login = None
    if parts.username is not None:
        login = (unquote(parts.username), unquote(parts.password or ""))
    return Proxy(variable, parts.scheme, parts.hostname, port, login)


def _compare_cases(environment: Mapping[str, str]) -> Iterator[Complaint]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        if name == name.upper() or not {name, name.upper()} <= set(environment):
            continue
        if environment[name].strip() != environment[name.upper()].strip():
            yield Complaint(PROXY_CASES_DIFFER, f"{name} and {name.upper()} hold two values")


def _judge_node(environment: Mapping[str, str]) -> Iterator[Complaint]:
    if environment.get(_NODE_VERIFICATION) == "0":
        yield Complaint(VERIFICATION_OFF, f"{_NODE_VERIFICATION} is 0")


def _split(bypassed: str) -> list[str]:
    """The entries of NO_PROXY; a port behind one is left out."""
    entries = [entry.lower() for entry in re.split(r"[,\s]+", bypassed) if entry]
    return [re.sub(r"(?<=[\w\]]):\d+$", "", entry) if entry.count(":") == 1 else entry for entry in entries]


def _is_bypassed(host: str, entries: list[str]) -> bool:
    """As curl, urllib and httpx see it: a name is for itself and all that ends so."""
    return any(entry == "*" or f".{host}".endswith(f".{entry.lstrip('.')}") for entry in entries)


def _judge_bypasses(address: Address, bypassed: str) -> Iterator[Complaint]:
    """Whether all clients take the same entry of NO_PROXY for the gateway's.

    To all of them .example.com is every name that ends so; example.com is that for some, and for undici one name.
    """
    entries = _split(bypassed)
    host = address.host.lower()
    if any(entry in ("*", host) or (entry.startswith(".") and host.endswith(entry)) for entry in entries):
        return
    for entry in entries:
        if f".{host}".endswith(f".{entry.lstrip('*').lstrip('.')}") or _is_in_range(host, entry):
            yield Complaint(NO_PROXY_AMBIGUOUS, f"of NO_PROXY, '{entry}' is the gateway to some clients only")
            return


def _is_in_range(host: str, entry: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
