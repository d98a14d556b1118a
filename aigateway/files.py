"""Files that are never half-written, and folders that are gone afterwards."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from aigateway.errors import AigatewayError


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to `path` whole or not at all.

    Raises AigatewayError when the disk is full or the folder cannot be written to.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            # mkstemp makes files for the owner alone; what is committed is for everybody to read.
            os.fchmod(descriptor, 0o644)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise AigatewayError(f"{path}: cannot be written: {reason}; nothing was changed there") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


@contextlib.contextmanager
def make_temporary_folder(purpose: str) -> Iterator[Path]:
    """A folder for the time of the context, with `purpose` in its name; what cannot be removed afterwards stays.

    Raises AigatewayError when none can be made.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=f"aigateway-{purpose}-", ignore_cleanup_errors=True)
    except OSError as error:
        raise AigatewayError(
            f"no temporary folder can be made: {error.strerror}; name another place in TMPDIR"
        ) from error
    with folder as name:
        yield Path(name)
