"""Who signed an image, with programs that stand in for cosign."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from aigateway.errors import AigatewayError, MissingImageError
from aigateway.promotion.images import PinnedImage
from aigateway.upgrading.signature import KEYS, Signature, check_signature

IMAGE = PinnedImage.of("ghcr.io/berriai/litellm", "v1.109.1", None)
DIGEST = f"sha256:{'0a' * 32}"


def use_cosign(folder: Path, patch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "cosign"
    program.write_text(f"#!{sys.executable} -S\nimport sys\n{script}\n")
    program.chmod(0o755)
    patch.setenv("PATH", str(folder))


def check(**others: object) -> Signature:
    return check_signature(IMAGE, lambda _image: DIGEST, **others)  # type: ignore[arg-type]


def test_nobody_can_tell_without_cosign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = check()
    assert found.state == "unchecked"
    assert "was NOT CHECKED: cosign is not installed" in str(found)


def test_nobody_can_tell_without_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_cosign(tmp_path, monkeypatch, "sys.exit('never asked')")

    def unreachable(_image: PinnedImage) -> str:
        raise AigatewayError("ghcr.io cannot be reached")

    found = check_signature(IMAGE, unreachable)
    assert (found.state, found.reason) == ("unchecked", "ghcr.io cannot be reached")


def test_a_version_that_has_no_image_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_cosign(tmp_path, monkeypatch, "sys.exit('never asked')")

    def missing(_image: PinnedImage) -> str:
        raise MissingImageError("no such tag")

    assert check_signature(IMAGE, missing).state == "refused"


def test_either_of_the_keys_will_do_and_the_digest_is_what_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cosign(
        tmp_path,
        monkeypatch,
        f"sys.exit(sys.argv[1:] != ['verify', '--key', {KEYS[1]!r}, 'ghcr.io/berriai/litellm@{DIGEST}'])",
    )
    found = check()
    assert (found.state, found.digest) == ("verified", DIGEST)


@pytest.mark.parametrize(
    "said", ["Error: no signatures found", "Error: no matching signatures: invalid signature", ""]
)
def test_what_is_not_signed_by_them_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    use_cosign(tmp_path, monkeypatch, f"sys.stderr.write({said!r}); sys.exit(1)")
    assert check().state == "refused"


def test_a_key_that_cannot_be_had_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_cosign(
        tmp_path,
        monkeypatch,
        "sys.exit('Error: loading public key: Get \"https://raw.githubusercontent.com/x\": dial tcp: i/o timeout')",
    )
    found = check()
    assert found.state == "unchecked"
    assert "dial tcp" in found.reason


def test_a_cosign_that_hangs_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_cosign(tmp_path, monkeypatch, "")

    def hang(command: Sequence[str]) -> tuple[int, str]:
        raise subprocess.TimeoutExpired(command, 1)

    assert check(run=hang).state == "unchecked"
