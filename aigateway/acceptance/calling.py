"""Calling pytest for a run that is chosen by its own arguments alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest


def call_pytest(arguments: Sequence[str], plugins: Sequence[object] = ()) -> int:
    """pytest's exit code; what PYTEST_ADDOPTS says does not count: a `-k` in it would narrow the run unnoticed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        # Its plugin for what cannot be raised would swallow an interrupt: aigateway.signals.
        own = ("-p", "no:unraisableexception")
        return pytest.main([*own, *arguments], plugins=list(plugins))
