"""Whether LiteLLM's makers signed an image, asked of `cosign` where it is installed.

The keys are those of LiteLLM's release notes, named by the commit that brought them, so that nobody can exchange them:
github.com/BerriAI/litellm/releases. cosign's flags: docs.sigstore.dev/cosign/verifying/verify.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aigateway.errors import AigatewayError, MissingImageError
from aigateway.promotion.images import PinnedImage
from aigateway.settings.values import Digest

_KEY_URL = "https://raw.githubusercontent.com/BerriAI/litellm/{commit}/cosign.pub"
#: The newer first. Releases say which of them signed them; patches of older versions have the newer one too.
KEYS = tuple(
    _KEY_URL.format(commit=commit)
    for commit in ("e82a3c646908ba0a6ee0beddc4310d7a6cac4065", "0112e53046018d726492c814b3644b7d376029d0")
)

#: `verified`: by one of KEYS. `refused`: by none of them. `unchecked`: nobody knows.
SignatureState = Literal["verified", "refused", "unchecked"]
#: Runs a command and gives its exit code and what it said of what went wrong.
Runner = Callable[[Sequence[str]], tuple[int, str]]

_SECONDS = 120
# What says that a server could not be asked; all else that cosign complains of is about the image.
_UNREACHABLE = re.compile(
    r"dial tcp|no such host|i/o timeout|connection (refused|reset)|TLS handshake|context deadline exceeded|"
    r"TOOMANYREQUESTS|proxyconnect|network is unreachable|\b50[0-9]\b",
    re.IGNORECASE,
)


class Signature(BaseModel):
    """What is known of an image's signature."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: SignatureState
    image: str
    digest: Digest | None = Field(default=None, description="what the tag stands for; none where nobody said")
    reason: str = Field(default="", description="why it is not verified")

    def __str__(self) -> str:
        if self.state == "verified":
            return f"the signature of {self.image} is LiteLLM's"
        if self.state == "refused":
            return f"the signature of {self.image} is NOT LiteLLM's: {self.reason}"
        return f"the signature of {self.image} was NOT CHECKED: {self.reason}"


def run_cosign(command: Sequence[str]) -> tuple[int, str]:
    """The real runner. Raises subprocess.TimeoutExpired where it takes too long."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return done.returncode, done.stderr.strip()


def check_signature(
    image: PinnedImage, resolve: Callable[[PinnedImage], str], run: Runner = run_cosign
) -> Signature:
    """Ask who signed what the image's tag stands for now; `resolve` asks the registry for its digest."""
    if shutil.which("cosign") is None:
        return Signature(state="unchecked", image=str(image), reason="cosign is not installed")
    try:
        digest = resolve(image)
    except MissingImageError:
        return Signature(state="refused", image=str(image), reason="the registry has no such image")
    except AigatewayError as error:
        return Signature(state="unchecked", image=str(image), reason=str(error))
    # By digest: a tag that is moved meanwhile is another image.
    pinned = image.model_copy(update={"digest": digest})
    said: list[str] = []
    for key in KEYS:
        try:
            code, reason = run(["cosign", "verify", "--key", key, f"{image.repository}@{digest}"])
        except subprocess.TimeoutExpired:
            code, reason = 1, f"context deadline exceeded: cosign took more than {_SECONDS} s"
        if code == 0:
            return Signature(state="verified", image=str(pinned), digest=digest)
        said.append((reason.splitlines() or ["cosign does not say why"])[0].removeprefix("Error: "))
    unknown = any(_UNREACHABLE.search(reason) for reason in said)
    return Signature(
        state="unchecked" if unknown else "refused",
        image=str(pinned),
        digest=digest,
        reason="; ".join(dict.fromkeys(said)),
    )
