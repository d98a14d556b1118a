"""Asks a registry of container images which digest a tag stands for, as anybody may, without an account.

The API: github.com/opencontainers/distribution-spec; its tokens: distribution.github.io/distribution/spec/auth/token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx

from aigateway.deployed.deployment import is_this_machine
from aigateway.digests import hash_bytes
from aigateway.errors import AigatewayError, MissingImageError
from aigateway.promotion.images import PinnedImage

# Docker Hub's names: envoyproxy/envoy is docker.io/envoyproxy/envoy, and its API has another host.
_DOCKER_HUB = "https://registry-1.docker.io"
_LIBRARY = "library"

# An index of several platforms first: its digest is what the tag stands for, on whatever machine it is pulled.
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_SECONDS = 30
# The specification has registries take manifests of up to 4 MiB.
_LARGEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class _Place:
    """Where an image's registry is, and what the image is called there."""

    url: str
    name: str


def resolve(image: PinnedImage) -> str:
    """The digest that the image's tag stands for now.

    Raises AigatewayError when the registry cannot be reached, has no such tag, or keeps it for those with an account.
    """
    place = _find_place(image.repository)
    url = f"{place.url}/v2/{place.name}/manifests/{image.tag}"
    # Between this machine and itself, a proxy has no business.
    with httpx.Client(
        timeout=_SECONDS, follow_redirects=True, trust_env=not is_this_machine(place.url)
    ) as client:
        try:
            return _ask(client, place, url, image)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = str(error) or type(error).__name__
            raise AigatewayError(
                f"{image}: {place.url} cannot be reached: {said}; to pin it, be online, or set its digest in "
                "gateway.yaml"
            ) from error


def _ask(client: httpx.Client, place: _Place, url: str, image: PinnedImage) -> str:
    headers = {"Accept": ", ".join(_MANIFESTS)}
    answer = client.head(url, headers=headers)
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        token = _fetch_token(client, place, answer.headers.get("www-authenticate", ""), image)
        headers["Authorization"] = f"Bearer {token}"
        answer = client.head(url, headers=headers)
    _require_found(answer, place, image)
    digest = str(answer.headers.get("docker-content-digest", ""))
    # The header is one that a registry may leave out; the manifest's own digest is the same.
    return digest if _DIGEST.fullmatch(digest) else _hash_manifest(client, url, headers, place, image)


def _hash_manifest(
    client: httpx.Client, url: str, headers: dict[str, str], place: _Place, image: PinnedImage
) -> str:
    content = b""
    with client.stream("GET", url, headers=headers) as answer:
        _require_found(answer, place, image)
        for part in answer.iter_bytes():
            content += part
            if len(content) > _LARGEST_BYTES:
                raise AigatewayError(f"{image}: {place.url} has a manifest that is larger than any")
    return hash_bytes(content)


def _require_found(answer: httpx.Response, place: _Place, image: PinnedImage) -> None:
    code = answer.status_code
    if code == httpx.codes.OK:
        return
    if code == httpx.codes.NOT_FOUND:
        raise MissingImageError(f"{image}: {place.url} has no such tag; set another in gateway.yaml")
    if code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise AigatewayError(
            f"{image}: {place.url} keeps it from those without an account, or there is none; set its digest in "
            "gateway.yaml"
        )
    if code == httpx.codes.TOO_MANY_REQUESTS:
        raise AigatewayError(f"{image}: {place.url} says that it was asked too often; try again later")
    raise AigatewayError(f"{image}: {place.url} says {code}; try again later")


def _fetch_token(client: httpx.Client, place: _Place, challenge: str, image: PinnedImage) -> str:
    """A token that lets anybody read this image, from where the registry says that there are such."""
    scheme, _, rest = challenge.partition(" ")
    parameters = dict(_PARAMETER.findall(rest))
    realm = parameters.pop("realm", "")
    if scheme.lower() != "bearer" or not realm:
        raise AigatewayError(
            f"{image}: {place.url} wants a name and a password; set its digest in gateway.yaml"
        )
    if not realm.startswith("https://") and not (is_this_machine(realm) and is_this_machine(place.url)):
        raise AigatewayError(f"{image}: {place.url} sends for its token to {realm}, which is not https")
    scope = parameters.get("scope") or f"repository:{place.name}:pull"
    query = {"scope": scope, **({"service": parameters["service"]} if "service" in parameters else {})}
    answer = client.get(realm, params=query)
    _require_found(answer, place, image)
    try:
        said = answer.json()
        token = said.get("token") or said.get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
        raise AigatewayError(f"{image}: {place.url} gives no token that can be used; try again later")
    return token


def _find_place(repository: str) -> _Place:
    """Docker's own rule: what is before the first slash is a host if it has a dot or a port, or is localhost."""
    host, _, name = repository.partition("/")
    if not name or not ("." in host or ":" in host or host == "localhost"):
        return _Place(_DOCKER_HUB, repository if name else f"{_LIBRARY}/{repository}")
    if host in {"docker.io", "index.docker.io"}:
        return _Place(_DOCKER_HUB, name if "/" in name else f"{_LIBRARY}/{name}")
    # As Docker does: no other machine can listen to what this one says to itself.
    scheme = "http" if is_this_machine(f"http://{host}") else "https"
    return _Place(f"{scheme}://{host}", name)
