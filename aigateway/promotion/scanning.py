"""What a scan of the infrastructure came to, as far as promotion needs it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aigateway.digests import hash_bytes
from aigateway.errors import AigatewayError
from aigateway.settings.values import Digest


class ScanOutcome(BaseModel):
    """Whether a scan passed, of which plan, and the digest of the file that says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool
    plan: Digest | None = Field(description="of Terraform's plan that was scanned; none where there was none")
    digest: Digest = Field(description="SHA-256 of the scan's result.json")


def read_scan(
    path: Path, root: Path, environment: str, plan: Path | None, planned: str | None
) -> ScanOutcome:
    """What the scan of `environment` came to, if it was of the checkout at `root` as it is now.

    And of `plan`, whose digest is `planned`, where there is one. Raises AigatewayError when the file is no such result.
    """
    # They draw tables too, and the gate, which only has the outcome, is not to wait for that.
    from aigateway.scanning.checkout import hash_checkout
    from aigateway.scanning.results import ScanResult

    again = f"run: aigateway scan {environment}{f' --plan {plan}' if plan else ''}"
    try:
        content = path.read_bytes()
        result = ScanResult.model_validate_json(content)
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise AigatewayError(f"{path}: is no result of a scan by this version; {again}") from error
    if result.environment != environment:
        raise AigatewayError(f"{path}: is of {result.environment}; {again}")
    if result.checkout != hash_checkout(root):
        raise AigatewayError(f"{path}: is of files that have changed since; {again}")
    if planned and result.plan != planned:
        raise AigatewayError(f"{path}: is of {'another' if result.plan else 'no'} plan; {again}")
    return ScanOutcome(passed=result.clean, plan=result.plan, digest=hash_bytes(content))
