"""What is told of a plan, and which secrets an apply of it needs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aigateway.delivery.changes import Change, read_changes
from aigateway.errors import AigatewayError


def plan_of(*resources: dict[str, Any]) -> str:
    return json.dumps({"format_version": "1.2", "resource_changes": resources})


def resource(kind: str, *actions: str, **more: Any) -> dict[str, Any]:
    change = {"actions": list(actions), "before": more.pop("before", None), "after": more.pop("after", None)}
    return {
        "address": f"module.gateway.{kind}.gateway",
        "mode": "managed",
        "type": kind,
        "change": change,
        **more,
    }


def secret(name: str, *actions: str, before: int | None = None, after: int | None = None) -> dict[str, Any]:
    values = [None if version is None else {"value_wo_version": version} for version in (before, after)]
    return resource("azurerm_key_vault_secret", *actions, index=name, before=values[0], after=values[1])


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        (("create",), "create"),
        (("update",), "update"),
        (("delete",), "delete"),
        (("delete", "create"), "replace"),
        (("create", "delete"), "replace"),
        (("no-op",), None),
        (("read",), None),
    ],
)
def test_what_happens_to_a_resource(actions: tuple[str, ...], told: str | None) -> None:
    changes = read_changes(plan_of(resource("azurerm_container_app", *actions)))
    address = "module.gateway.azurerm_container_app.gateway"
    assert changes.every == ((Change(address, told),) if told else ())  # type: ignore[arg-type]


def test_what_is_only_read_is_no_change() -> None:
    found = resource("azurerm_client_config", "read") | {"mode": "data"}
    assert read_changes(plan_of(found)).summary == "no changes"


def test_an_apply_needs_the_secrets_that_are_new_or_have_another_version_and_no_others() -> None:
    changes = read_changes(
        plan_of(
            secret("new", "create", after=1),
            secret("raised", "update", before=1, after=2),
            secret("made-anew", "create", "delete", before=1, after=1),
            secret("same", "no-op", before=1, after=1),
            secret("only-its-tags", "update", before=3, after=3),
            secret("gone", "delete", before=1),
        )
    )
    assert changes.secrets == ("made-anew", "new", "raised")


def test_a_page_has_addresses_and_counts_and_no_value() -> None:
    private = {"template": "what nobody wants on a page"}
    plan = plan_of(
        resource("azurerm_container_app", "update", before=private, after=private), secret("new", "create")
    )
    page = read_changes(plan).render_markdown("Plan of dev")
    assert "## Plan of dev: 1 to update, 1 to create" in page
    assert "| update | `module.gateway.azurerm_container_app.gateway` |" in page
    assert "`new`" in page
    assert "nobody wants" not in page


@pytest.mark.parametrize("text", ["", "[]", '{"resource_changes": [{"address": 1}]}'])
def test_what_is_no_plan_is_said(text: str) -> None:
    with pytest.raises(AigatewayError, match="a plan that cannot be read"):
        read_changes(text)
