"""Tags become digests: what is asked of a registry, what is written, and what is said when it cannot be."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from proven import ROOT, settings_of
from registries import FakeRegistry, find_docker_registry, push_index, run_docker_registry, serve_registry

from aigateway.errors import AigatewayError
from aigateway.promotion.images import PinnedImage, find_images, write_pins
from aigateway.promotion.pinning import find_digests
from aigateway.promotion.registry import _find_place, resolve
from aigateway.settings.model import EnvoyImage, Images, LiteLLMImage, Settings

#: Set where a skipped run against the real registry must not pass for a good one.
_REQUIRE = "AIGATEWAY_REQUIRE_REGISTRY"
OTHER = "sha256:" + "0" * 64


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with serve_registry() as served:
        yield served


def name_image(registry: FakeRegistry, name: str = "berriai/litellm", tag: str = "v1.106.2") -> PinnedImage:
    return PinnedImage.of(f"{registry.host}/{name}", tag, None)


def use(host: str, litellm: str | None = None) -> Settings:
    """Settings of dev with images at a registry."""
    images = Images(
        litellm=LiteLLMImage(repository=f"{host}/berriai/litellm", digest=litellm),
        envoy=EnvoyImage(repository=f"{host}/envoyproxy/envoy"),
    )
    return settings_of("dev").model_copy(update={"images": images})


def fail(image: PinnedImage) -> str:
    with pytest.raises(AigatewayError) as caught:
        resolve(image)
    said = str(caught.value)
    assert said.startswith(f"{image}: ")
    assert len(said.splitlines()) == 1
    return said


# --- the registry


def test_a_token_is_fetched_and_the_digest_asked_for(registry: FakeRegistry) -> None:
    digest = registry.put("berriai/litellm", "v1.106.2", b"an index")
    assert resolve(name_image(registry)) == digest
    assert [line.partition("?")[0] for line in registry.asked] == [
        "HEAD /v2/berriai/litellm/manifests/v1.106.2",
        "GET /token",
        "HEAD /v2/berriai/litellm/manifests/v1.106.2",
    ]
    assert "scope=repository%3Aberriai%2Flitellm%3Apull" in registry.asked[1]


def test_access_token_is_another_name_for_it(registry: FakeRegistry) -> None:
    digest = registry.put("berriai/litellm", "v1.106.2", b"an index")
    registry.token_answer = registry.token_answer.replace(b'"token"', b'"access_token"')
    assert resolve(name_image(registry)) == digest


def test_a_registry_that_says_no_digest_has_its_manifest_hashed(registry: FakeRegistry) -> None:
    digest = registry.put("berriai/litellm", "v1.106.2", b"an index")
    registry.says_digest = False
    assert resolve(name_image(registry)) == digest
    registry.manifests["berriai/litellm", "v1.106.2"] = b"x" * (4 * 1024 * 1024 + 1)
    assert "larger than any" in fail(name_image(registry))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "has no such tag; set another in gateway.yaml"),
        ({"code": 401}, "keeps it from those without an account"),
        ({"code": 403}, "keeps it from those without an account"),
        ({"code": 429}, "was asked too often"),
        ({"code": 503}, "says 503; try again later"),
        ({"challenge": 'Basic realm="x"'}, "wants a name and a password"),
        ({"challenge": "Bearer"}, "wants a name and a password"),
        (
            {"challenge": 'Bearer realm="http://thief.test/token"'},
            "http://thief.test/token, which is not https",
        ),
        ({"challenge": 'Bearer realm="https://[",service="x"'}, "cannot be reached"),
        ({"token_answer": b"[]"}, "gives no token that can be used"),
        ({"token_answer": b"<html>"}, "gives no token that can be used"),
        ({"token_answer": b'{"token": "a\\nb"}'}, "gives no token that can be used"),
    ],
)
def test_what_goes_wrong_is_said(changes: dict[str, object], said: str, registry: FakeRegistry) -> None:
    for name, value in changes.items():
        setattr(registry, name, value)
    assert said in fail(name_image(registry))


def test_offline_it_says_what_to_do() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        image = PinnedImage.of(f"127.0.0.1:{closed.getsockname()[1]}/a/b", "v1.0.0", None)
        said = fail(image)
    assert "cannot be reached: " in said
    assert said.endswith("to pin it, be online, or set its digest in gateway.yaml")


@pytest.mark.parametrize(
    ("repository", "place"),
    [
        ("envoyproxy/envoy", ("https://registry-1.docker.io", "envoyproxy/envoy")),
        ("envoy", ("https://registry-1.docker.io", "library/envoy")),
        ("docker.io/envoy", ("https://registry-1.docker.io", "library/envoy")),
        ("ghcr.io/berriai/litellm", ("https://ghcr.io", "berriai/litellm")),
        ("registry.test:5000/a/b/c", ("https://registry.test:5000", "a/b/c")),
        ("localhost/a", ("http://localhost", "a")),
    ],
)
def test_where_an_image_is_asked_for(repository: str, place: tuple[str, str]) -> None:
    found = _find_place(repository)
    assert (found.url, found.name) == place


def test_debians_registry_says_the_digest_of_the_index(tmp_path: Path) -> None:
    program = find_docker_registry()
    if program is None:
        if os.environ.get(_REQUIRE) == "1":
            pytest.fail(f"docker-registry is not installed, and {_REQUIRE}=1 says that it has to be")
        pytest.skip("docker-registry is not installed")
    with run_docker_registry(program, tmp_path) as url:
        digest = push_index(url, "berriai/litellm", "v1.106.2")
        host = url.removeprefix("http://")
        assert resolve(PinnedImage.of(f"{host}/berriai/litellm", "v1.106.2", None)) == digest
        assert "has no such tag" in fail(PinnedImage.of(f"{host}/berriai/litellm", "v0.0.1", None))
        assert "has no such tag" in fail(PinnedImage.of(f"{host}/nobody/nothing", "v0.0.1", None))


# --- what is written


def test_both_images_are_pinned_where_terraform_and_the_gate_look(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    litellm = registry.put("berriai/litellm", "v1.106.2", b"one")
    envoy = registry.put("envoyproxy/envoy", "v1.40.0", b"other")
    settings = use(registry.host)
    path = write_pins(tmp_path, settings, find_digests(settings, None))
    assert path == tmp_path / "infra/env/dev/images.auto.tfvars.json"
    assert json.loads(path.read_text()) == {"image_digests": {"litellm": litellm, "envoy": envoy}}
    images = find_images(tmp_path, settings)
    assert (images.litellm.digest, images.envoy.digest) == (litellm, envoy)
    assert images.litellm.version == "1.106.2"


def test_a_tag_that_was_moved_is_refused(registry: FakeRegistry) -> None:
    registry.put("berriai/litellm", "v1.106.2", b"one")
    registry.put("envoyproxy/envoy", "v1.40.0", b"other")
    with pytest.raises(AigatewayError, match="the tag was moved, or the setting is wrong"):
        find_digests(use(registry.host, litellm=OTHER), None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no list of image_digests"),
        ('{"image_digests": {"litellm": "latest"}}', "is no list of image_digests"),
        (f'{{"image_digests": {{"nginx": "{OTHER}"}}}}', "is no list of image_digests"),
        (
            f'{{"image_digests": {{"litellm": "{OTHER}"}}}}',
            "image_digests.litellm: is not images.litellm.digest",
        ),
    ],
)
def test_pins_that_are_none_are_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "infra/env/dev/images.auto.tfvars.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(AigatewayError) as caught:
        find_images(tmp_path, use("registry.test", litellm="sha256:" + "1" * 64))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_the_file_is_in_no_commit() -> None:
    assert "images.auto.tfvars.json" in (ROOT / ".gitignore").read_text().splitlines()
