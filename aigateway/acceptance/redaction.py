"""Takes out of what a run leaves behind what nobody may read there: keys, and where Azure is."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel

from aigateway.launching.stack import StackReference
from aigateway.settings.leaks import MASK

Model = TypeVar("Model", bound=BaseModel)

#: Headers whose value is never shown, whatever it is.
_PRIVATE_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-gateway-key",
        "api-key",
        "x-api-key",
        "x-litellm-api-key",
        "ocp-apim-subscription-key",
        "cookie",
        "set-cookie",
    }
)

_PRIVATE_LINES = re.compile(rf"(?im)^({'|'.join(sorted(_PRIVATE_HEADERS))})([ \t]*:).*?(\r?)$")

# A key that an error message has cut off is still known by so many of its characters.
_FRAGMENT = 8
_LONG_WORD = re.compile(rf"[\w+/=.~-]{{{_FRAGMENT},}}")

# Keys that a scenario made for itself have these forms: those of clients, and those of Azure, old and new.
_FORMS = re.compile(r"sk-[A-Za-z0-9_-]{20,}|\b[0-9a-f]{32}\b|\b[A-Za-z0-9]{84}\b")
_AZURE = re.compile(
    r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:openai|cognitiveservices|services\.ai)\.azure\.com"
)


def hide_values(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The headers, without the values of those that hold keys."""
    return tuple((name, MASK if name.lower() in _PRIVATE_HEADERS else value) for name, value in headers)


def hide_lines(text: str) -> str:
    """The same, of a request as it goes over the wire."""
    return _PRIVATE_LINES.sub(rf"\1\2 {MASK}\3", text)


@dataclass(frozen=True)
class Redactor:
    """Knows the secrets of a run and its `addresses`, as HOST:PORT, of the simulated Azure."""

    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    addresses: frozenset[str] = frozenset()

    @classmethod
    def of_stack(cls, stack: StackReference) -> Redactor:
        """For what a gateway on this machine knows."""
        keys = stack.keys
        secrets = {keys.azure, keys.master, keys.salt, *keys.clients.values()}
        urls = (stack.simulator_url, stack.simulator_control_url)
        return cls(frozenset(secrets), frozenset(urlsplit(url).netloc for url in urls))

    def redact(self, text: str) -> str:
        """`text` without any of them, and without longer pieces of them."""
        for secret in self._written:
            text = text.replace(secret, MASK)
        text = _LONG_WORD.sub(lambda word: self._mask_fragments(_FORMS.sub(MASK, word[0])), text)
        # Most texts hold no address, and looking for its beginning takes long.
        if ".azure.com" in text:
            text = _AZURE.sub(MASK, text)
        if any(f":{port}" in text for port in self._ports):
            text = self._address.sub(MASK, text)
        return text

    def redact_model(self, model: Model) -> Model:
        """The same, of every text in `model`."""
        return type(model).model_validate(self._redact_all(model.model_dump()))

    def _redact_all(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {name: self._redact_all(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._redact_all(item) for item in value]
        return value

    def _mask_fragments(self, word: str) -> str:
        """A word without the pieces of a secret in it: a message may quote a part of a text, and cut a key in two."""
        pieces: list[str] = []
        shown_to = 0
        for start in range(len(word) - _FRAGMENT + 1):
            if word[start : start + _FRAGMENT] not in self._fragments:
                continue
            if start >= shown_to:
                pieces += [word[shown_to:start], MASK]
            shown_to = start + _FRAGMENT
        return "".join([*pieces, word[shown_to:]])

    @cached_property
    def _written(self) -> list[str]:
        """Each secret as it stands in texts, in JSON, in HTML and in addresses; the longest first."""
        secrets = filter(None, self.secrets)
        forms = {
            form
            for secret in secrets
            for form in (secret, json.dumps(secret)[1:-1], html.escape(secret), quote(secret, safe=""))
        }
        return sorted(forms, key=len, reverse=True)

    @cached_property
    def _fragments(self) -> frozenset[str]:
        return frozenset(
            secret[start : start + _FRAGMENT]
            for secret in self._written
            for start in range(len(secret) - _FRAGMENT + 1)
        )

    @cached_property
    def _ports(self) -> frozenset[str]:
        return frozenset(address.rpartition(":")[2] for address in self.addresses)

    @cached_property
    def _address(self) -> re.Pattern[str]:
        """The addresses, under whatever name of this machine's: in a container it has another."""
        return re.compile(rf"(?:[\w.-]+|\[[\da-f:]+\]):(?:{'|'.join(self._ports)})\b")
