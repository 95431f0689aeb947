"""Reports on disk: `report.json` and `report.html`, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphnn.evaluate.compare import Comparison
from graphnn.graph.files import check_output, write_whole
from graphnn.report.html import render_html
from graphnn.report.payload import Context, make_payload


def json_bytes(payload: Mapping[str, Any]) -> bytes:
    """The payload as JSON text, UTF-8."""
    return (json.dumps(payload, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def html_bytes(payload: Mapping[str, Any]) -> bytes:
    """The page made from the payload, UTF-8."""
    return render_html(payload).encode()


def write_json(comparison: Comparison, path: Path, *, force: bool = False, **context: Any) -> None:
    """Write the payload of a comparison as JSON.

    Args:
        comparison: What `compare` returned.
        path: Where to.
        force: Replace a file that is there.
        **context: Fields of `graphnn.report.payload.Context`.

    Raises:
        OutputExistsError, MissingFileError, OptionError: as `graphnn.graph.files.check_output`.
    """
    check_output(path, force=force)
    write_whole(path, json_bytes(make_payload(comparison, Context(**context))), force=force)


def write_html(comparison: Comparison, path: Path, *, force: bool = False, **context: Any) -> None:
    """Write the report of a comparison as one HTML file; arguments and errors as `write_json`."""
    check_output(path, force=force)
    write_whole(path, html_bytes(make_payload(comparison, Context(**context))), force=force)
