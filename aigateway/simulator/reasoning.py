"""The encrypted content of a reasoning item: opaque to the client, verified when it comes back.

Real tokens are Fernet-like (`gAAAA…`) and bound to the resource; these carry a random body and an HMAC under
a key derived from the resource's own, so one survives a restart, and any change of it is noticed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_PREFIX = "gAAAAAB"
_BODY_BYTES = 96
_SIGNATURE_BYTES = 32


class ReasoningSeal:
    """Makes and checks encrypted contents for one resource."""

    def __init__(self, api_key: str) -> None:
        self._key = hashlib.sha256(b"reasoning " + api_key.encode()).digest()

    def seal(self) -> str:
        body = secrets.token_bytes(_BODY_BYTES)
        return _PREFIX + base64.urlsafe_b64encode(body + self._sign(body)).decode()

    def verify(self, content: str) -> bool:
        if not content.startswith(_PREFIX):
            return False
        try:
            raw = base64.b64decode(content[len(_PREFIX) :], altchars=b"-_", validate=True)
        except ValueError:
            return False
        body, signature = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
        return hmac.compare_digest(signature, self._sign(body))

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_SIGNATURE_BYTES]
