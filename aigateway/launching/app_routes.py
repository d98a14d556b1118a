"""The routes of LiteLLM's app, of which the gateway serves a few: asked of the app itself, not of a list."""

from __future__ import annotations

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from aigateway.launching.inspection import inspect_litellm
from aigateway.launching.parts import Launcher, PartReference


@dataclass(frozen=True, order=True)
class AppRoute:
    """A path as the app writes it, with `{parameters}`, and one of its methods."""

    path: str
    method: str


_ROUTES: TypeAdapter[tuple[AppRoute, ...]] = TypeAdapter(tuple[AppRoute, ...])

# LiteLLM's own GET /routes tells only 14 of them in 1.106.2: it does not look into the routers that the app includes,
# nor at the features that are loaded when they are first asked for. What is mounted has no methods of its own.
_LIST_ROUTES = """
import json, os
os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="CRITICAL")
from litellm.proxy._lazy_features import register_all_features
from litellm.proxy.proxy_server import app

def walk(routes, prefix=""):
    for route in routes:
        if hasattr(route, "effective_candidates"):
            yield from walk([*route.effective_candidates(), *route.effective_low_priority_routes()], prefix)
            continue
        route = getattr(route, "starlette_route", None) or route
        path = prefix + route.path
        for method in getattr(route, "methods", None) or ("GET", "POST"):
            yield path, method
        yield from walk(getattr(route, "routes", None) or (), path)

register_all_features(app)
print(json.dumps([{"path": path, "method": method} for path, method in sorted(set(walk(app.routes)))]))
"""


def list_app_routes(launcher: Launcher, litellm: PartReference) -> tuple[AppRoute, ...]:
    """Every route of the app of `litellm`."""
    return _ROUTES.validate_json(inspect_litellm(launcher, litellm, _LIST_ROUTES))
