"""What a scan of the infrastructure came to, as far as promotion needs it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aigateway.errors import AigatewayError
from aigateway.promotion.digests import hash_bytes
from aigateway.settings.values import Digest


class ScanOutcome(BaseModel):
    """Whether a scan passed, and the digest of the file that says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool
    digest: Digest = Field(description="SHA-256 of the scan's result.json")


def read_scan(path: Path, environment: str) -> ScanOutcome:
    """What the scan of `environment` came to. Raises AigatewayError when the file is no such scan's result."""
    # It draws tables too, and the gate, which only has the outcome, is not to wait for that.
    from aigateway.scanning.results import ScanResult

    try:
        content = path.read_bytes()
        result = ScanResult.model_validate_json(content)
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise AigatewayError(f"{path}: is no result of a scan; run: aigateway scan {environment}") from error
    if result.environment != environment:
        raise AigatewayError(f"{path}: is of {result.environment}; run: aigateway scan {environment}")
    return ScanOutcome(passed=result.clean, digest=hash_bytes(content))
