"""docs/openapi.yaml says what the edge serves, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from aigateway.launching.stack import HEALTH_PATH
from aigateway.rendering.edge import derive_edge
from aigateway.settings.loading import load_environment

_METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}


def test_it_describes_just_the_served_endpoints(root: Path) -> None:
    document = yaml.safe_load((root / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
    described = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item.keys() & _METHODS
    }
    served = {
        (method, route.path or _name_parameter(route.pattern))
        for route in derive_edge(load_environment(root, "dev")).routes
        for method in route.methods
    }
    assert described == served | {("GET", HEALTH_PATH)}


def _name_parameter(pattern: str) -> str:
    return re.sub(r"\[[^/]*\]\+", "{response_id}", pattern)
