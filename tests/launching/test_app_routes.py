"""The routes of LiteLLM's app are asked for once for each LiteLLM, and kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from aigateway.errors import LaunchError
from aigateway.launching.app_routes import AppRoute, list_app_routes
from aigateway.launching.parts import Launcher, PartReference, ProcessReference

_SAID = 'loading …\n[{"path": "/v1/models", "method": "GET"}]\n'


@dataclass
class _Launcher:
    """A launcher whose LiteLLM answers with `said`."""

    name: str = "one"
    said: str = _SAID
    asked: list[str] = field(default_factory=list)

    def identify(self, litellm: PartReference) -> str:  # noqa: ARG002 - as launchers have it
        return self.name

    def run_python(self, litellm: PartReference, code: str) -> str:  # noqa: ARG002 - as above
        self.asked.append(code)
        if not self.said:
            raise LaunchError("it failed")
        return self.said


@pytest.fixture
def litellm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProcessReference:
    monkeypatch.setenv("AIGATEWAY_CACHE", str(tmp_path))
    return ProcessReference(port=1, log_path=tmp_path / "log")


def _list(launcher: _Launcher, litellm: ProcessReference) -> Any:
    return list_app_routes(cast("Launcher", launcher), litellm)


def test_what_litellm_said_is_kept_for_the_same_litellm(litellm: ProcessReference) -> None:
    launcher = _Launcher()
    assert _list(launcher, litellm) == (AppRoute("/v1/models", "GET"),)
    assert _list(launcher, litellm) == (AppRoute("/v1/models", "GET"),)
    assert len(launcher.asked) == 1


def test_another_litellm_is_asked_anew(litellm: ProcessReference) -> None:
    _list(_Launcher(), litellm)
    other = _Launcher(name="another", said=_SAID.replace("models", "other"))
    assert _list(other, litellm) == (AppRoute("/v1/other", "GET"),)


def test_a_failure_is_not_kept(litellm: ProcessReference) -> None:
    with pytest.raises(LaunchError):
        _list(_Launcher(said=""), litellm)
    assert _list(_Launcher(), litellm)
