"""Where a result goes: beside the other runs' in build/, and into docs/ when it is to be kept."""

from __future__ import annotations

from pathlib import Path

from aigateway.benchmarking.document import FOLDER, PAGE, load_results, render_performance
from aigateway.benchmarking.page import render_page
from aigateway.benchmarking.results import BenchResult
from aigateway.errors import AigatewayError
from aigateway.files import write_atomically

RESULT_FILE = "result.json"
PAGE_FILE = "report.html"


def write_result(root: Path, result: BenchResult, document: str = "") -> tuple[Path, ...]:
    """Write the result and its page, and with `document` the figures of docs/performance.md; gives what was written.

    Raises AigatewayError when something cannot be written, or figures that are not sound were to be documented.
    """
    folder = root / "build" / "bench" / result.environment
    text = result.model_dump_json(indent=2) + "\n"
    written = [folder / RESULT_FILE, folder / PAGE_FILE]
    write_atomically(written[0], text)
    write_atomically(written[1], render_page(result))
    if document:
        if not result.sound:
            raise AigatewayError(
                f"{PAGE}: is left as it was, for this run is not whole: {result.summary}; see {written[0]}"
            )
        written += [root / FOLDER / f"{document}.json", root / PAGE]
        write_atomically(written[2], text)
        write_atomically(written[3], render_performance(load_results(root)))
    return tuple(written)
