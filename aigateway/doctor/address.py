"""The base URL that somebody gave, read tolerantly, and the key from the environment, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aigateway.deployed.deployment import is_this_machine, parse_base_url
from aigateway.doctor.catalogue import KEY_BROKEN, KEY_UNTIDY, PLAIN_HTTP, URL_HAS_ENDPOINT
from aigateway.doctor.results import Complaint, Found, complain

_ENDPOINT = re.compile(r"(?:/v1)*/(?:responses|chat/completions|embeddings|models|healthz)$|(?:/v1){2,}$")
_PORTS = {"http": 80, "https": 443}
#: With a shorter one the gateway does not start (start/envoy.sh).
SHORTEST_KEY = 32
_QUOTES = "\"'`“”‘’"


@dataclass(frozen=True)
class Address:
    """Where the gateway is: `root` without /v1; whether it was given with /v1, and with what else behind that."""

    root: str
    has_v1: bool
    endpoint: str = ""

    @property
    def is_tls(self) -> bool:
        """Whether it is https."""
        return self.root.startswith("https://")

    @property
    def host(self) -> str:
        """The name or the IP address."""
        return urlsplit(self.root).hostname or ""

    @property
    def port(self) -> int:
        """The port, given or usual."""
        parts = urlsplit(self.root)
        return parts.port or _PORTS[parts.scheme]

    @property
    def is_here(self) -> bool:
        """Whether it can only be this machine."""
        return is_this_machine(self.root)

    @property
    def may_get_key(self) -> bool:
        """Whether nobody on the way could read what is sent to it."""
        return self.is_tls or self.is_here


def read_address(text: str) -> Address:
    """The address in a base URL, with or without /v1, a slash, or an endpoint at its end.

    Raises AigatewayError for what is no address.
    """
    text = text.strip()
    if "://" not in text and re.fullmatch(r"[\w.-]+\.\w+(:\d+)?(/.*)?", text, re.ASCII):
        text = f"https://{text}"  # as a browser would
    given = parse_base_url(re.sub("^[A-Za-z]+(?=://)", lambda scheme: scheme[0].lower(), text), keep_v1=True)
    root = parse_base_url(_ENDPOINT.sub("", given))
    found = _ENDPOINT.search(given)
    endpoint = found[0] if found else ""
    return Address(root, has_v1=given.endswith("/v1") or "/v1/" in endpoint, endpoint=endpoint)


def judge_address(address: Address, usual_ends: tuple[str, ...] = ()) -> Found:
    """Whether a key may be sent there, and whether it is what a client should be given."""
    if not address.may_get_key:
        return complain(PLAIN_HTTP, f"{address.root} is not encrypted, and not this machine")
    if address.endpoint and address.endpoint not in usual_ends:
        return complain(URL_HAS_ENDPOINT, f"clients are to be given {address.root}/v1")
    return Found(f"{address.root}/v1")


@dataclass(frozen=True)
class Key:
    """What AIGATEWAY_KEY holds, without what is around it; empty where there is no key in it."""

    value: str = field(repr=False)
    around: tuple[str, ...] = ()
    broken: str = ""


def read_key(text: str) -> Key:
    """The key in the value of a variable. Nothing of it is ever in what is said about it."""
    around = []
    inner = text.strip()
    if inner != text:
        breaks = any(
            character in "\r\n" for character in text[: len(text) - len(text.lstrip())] + _get_end(text)
        )
        around.append("a line break" if breaks else "a space")
    if inner.strip(_QUOTES) != inner:
        around.append("a quotation mark")
        inner = inner.strip(_QUOTES).strip()
    if match := re.match(r"(?i)bearer\s+", inner):
        around.append("the word Bearer")
        inner = inner[match.end() :]
    if re.fullmatch(r"[!-~]+", inner):
        if len(inner) >= SHORTEST_KEY:
            return Key(inner, tuple(around))
        return Key("", tuple(around), f"fewer than {SHORTEST_KEY} characters")
    strange = next((character for character in inner if not "!" <= character <= "~"), "")
    name = (
        "a line break"
        if strange in "\r\n"
        else "a space"
        if strange.isspace()
        else "a letter that no key has"
    )
    return Key("", tuple(around), f"{name} in the middle" if inner else "nothing but what is around a key")


def _get_end(text: str) -> str:
    return text[len(text.rstrip()) :]


def judge_key(key: Key) -> Found:
    """Whether clients could send the variable's value as it stands."""
    if key.broken:
        return complain(KEY_BROKEN, f"AIGATEWAY_KEY has {key.broken}")
    if key.around:
        return Found(
            "one word, with something around it",
            (Complaint(KEY_UNTIDY, f"AIGATEWAY_KEY has {' and '.join(key.around)} around the key"),),
        )
    return Found("one word; it is not shown")
