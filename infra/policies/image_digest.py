"""What runs in staging and prod is what was proven: images by digest. A tag can be moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aigateway_policy import Policy, UnresolvedError, is_literal, list_blocks, read_scanned, read_value

_IMAGE = r"[a-z0-9][a-z0-9./:_-]*(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]{64})?"


class ImageDigest(Policy):
    """Looks at every container's image."""

    def find_problems(self, conf: dict[str, list[Any]]) -> Iterator[str]:
        if read_scanned()["environment"] == "dev":
            return
        for template in list_blocks(conf, "template"):
            for kind in ("container", "init_container"):
                for container in list_blocks(template, kind):
                    image = read_value(container, "image")
                    if not is_literal(image, _IMAGE):
                        raise UnresolvedError
                    if "@sha256:" not in image:
                        name = read_value(container, "name")
                        yield f"container {name} runs {image}; must have @sha256: and its digest"


check = ImageDigest(
    "AIGATEWAY_IMAGE_DIGEST",
    "Images of staging and prod are named by digest",
    ("azurerm_container_app",),
)
