"""What a scan of the infrastructure came to, as far as promotion needs it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from aigateway.errors import AigatewayError
from aigateway.promotion.digests import hash_bytes
from aigateway.settings.values import Digest


class ScanOutcome(BaseModel):
    """Whether a scan passed, and the digest of the file that says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool
    digest: Digest = Field(description="SHA-256 of the scan's result.json")


class _ScanResult(BaseModel):
    """The scan's own result.json; what else is in it is the scan's."""

    passed: StrictBool
    environment: str | None = None


def locate_scan(root: Path, environment: str) -> Path:
    """Where `aigateway scan` leaves its result."""
    return root / "build" / "scan" / environment / "result.json"


def read_scan(path: Path, environment: str) -> ScanOutcome:
    """What the scan of `environment` came to. Raises AigatewayError when the file is no such scan's result."""
    try:
        content = path.read_bytes()
        result = _ScanResult.model_validate_json(content)
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise AigatewayError(
            f"{path}: is no result of a scan: 'passed' must be true or false; run: aigateway scan {environment}"
        ) from error
    if result.environment not in (None, environment):
        raise AigatewayError(f"{path}: is of {result.environment}; run: aigateway scan {environment}")
    return ScanOutcome(passed=result.passed, digest=hash_bytes(content))
