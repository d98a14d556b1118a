"""The gateway's certificate: is it valid here, who made it, and do clients with roots of their own take it?"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import certifi

from aigateway.doctor.address import Address
from aigateway.doctor.catalogue import (
    CERTIFICATE_ENDS_SOON,
    CERTIFICATE_EXPIRED,
    CERTIFICATE_NOT_YET_VALID,
    CERTIFICATE_OF_ANOTHER,
    CERTIFICATE_UNTRUSTED,
    PRIVATE_AUTHORITY,
    TLS_BROKEN,
    TLS_NOT_SPOKEN,
    Trouble,
)
from aigateway.doctor.clock import judge_clock
from aigateway.doctor.dialing import DialError, ask_without_key, dial, make_context
from aigateway.doctor.proxies import Proxy
from aigateway.doctor.results import Complaint, Found, complain

#: X509_V_ERR_… of OpenSSL (docs.openssl.org/master/man3/X509_STORE_CTX_get_error).
_BY_CODE: dict[int, Trouble] = {
    2: CERTIFICATE_UNTRUSTED,
    9: CERTIFICATE_NOT_YET_VALID,
    10: CERTIFICATE_EXPIRED,
    18: CERTIFICATE_UNTRUSTED,
    19: CERTIFICATE_UNTRUSTED,
    20: CERTIFICATE_UNTRUSTED,
    21: CERTIFICATE_UNTRUSTED,
    62: CERTIFICATE_OF_ANOTHER,
    64: CERTIFICATE_OF_ANOTHER,
}
_NO_TLS = {
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
}
_SOON_DAYS = 14


async def examine_certificate(address: Address, proxy: Proxy | None, environment: Mapping[str, str]) -> Found:
    """What a client would find when it begins to speak TLS."""
    try:
        async with dial(address, proxy, make_context()) as line:
            certificate = line.tls.getpeercert() or {}
            version = line.tls.version()
    except DialError as error:
        return Found(error.complaint.said, (error.complaint,))
    except ssl.SSLCertVerificationError as error:
        return await _explain(address, proxy, error)
    except ssl.SSLError as error:
        trouble = TLS_NOT_SPOKEN if error.reason in _NO_TLS else TLS_BROKEN
        return complain(
            trouble, f"{address.host}:{address.port}: {error.reason or error}".replace("_", " ").lower()
        )
    complaints = []
    if not await _is_public(address, proxy, environment):
        complaints.append(Complaint(PRIVATE_AUTHORITY, f"it is by {name_issuer(certificate)}"))
    ends = _read_time(str(certificate.get("notAfter", "")))
    if ends and (left := ends - datetime.now(UTC)).days < _SOON_DAYS:
        complaints.append(
            Complaint(CERTIFICATE_ENDS_SOON, f"it ends on {ends:%d %B %Y}, in {left.days} days")
        )
    until = f", to {ends:%d %B %Y}" if ends else ""
    return Found(f"{version}, certificate by {name_issuer(certificate)}{until}", tuple(complaints))


async def _explain(address: Address, proxy: Proxy | None, error: ssl.SSLCertVerificationError) -> Found:
    trouble = _BY_CODE.get(error.verify_code, CERTIFICATE_UNTRUSTED)
    said = error.verify_message.rstrip(".")
    if trouble in (CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID):
        # Is it the certificate, or this machine's clock?
        headers = await ask_without_key(address, proxy, trust_anybody())
        clock = judge_clock(headers.get("date", ""), datetime.now(UTC))
        return Found(said, (Complaint(trouble, said), *clock.complaints))
    certificate = await _read_certificate(address, proxy)
    if certificate:
        names = [
            name for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")
        ]
        said += f"; it is for {', '.join(names[:5]) or 'no name'}, by {name_issuer(certificate)}"
    return complain(trouble, said)


def trust_anybody() -> ssl.SSLContext:
    """For looking at who is there; nothing secret is sent to it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _read_certificate(address: Address, proxy: Proxy | None) -> Mapping[str, Any]:
    """What stands in the certificate of somebody who is not trusted.

    Python reads a certificate only when it is verified: so it is taken for its own root, for one handshake.
    """
    try:
        async with dial(address, proxy, trust_anybody()) as line:
            encoded = line.tls.getpeercert(binary_form=True)
        if not encoded:
            return {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(encoded))
        async with dial(address, proxy, context) as line:
            return line.tls.getpeercert() or {}
    except (DialError, ssl.SSLError, OSError):
        return {}


async def _is_public(address: Address, proxy: Proxy | None, environment: Mapping[str, str]) -> bool:
    """Whether a client on Node takes it: the public roots, and those of NODE_EXTRA_CA_CERTS."""
    context = ssl.create_default_context(cafile=certifi.where())
    extra = environment.get("NODE_EXTRA_CA_CERTS", "")
    try:
        if extra:
            context.load_verify_locations(cafile=extra)
    except OSError:  # Node warns of such a file, and goes on without
        pass
    try:
        async with dial(address, proxy, context):
            return True
    except ssl.SSLCertVerificationError:
        return False
    except (DialError, OSError):
        return True  # it is not the certificate, and the next check meets it too


def name_issuer(certificate: Mapping[str, Any]) -> str:
    """Who made a certificate, in a word or two."""
    issuer = {key: value for pairs in certificate.get("issuer", ()) for key, value in pairs}
    words = [issuer[key] for key in ("organizationName", "commonName") if key in issuer]
    return ", ".join(dict.fromkeys(words)) or "nobody named"


def _read_time(text: str) -> datetime | None:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if text else None
