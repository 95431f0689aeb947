"""Entry point of the installed command: hears Ctrl-C while the rest is still loading."""

from __future__ import annotations

import os
import sys

from graphnn.cli import INTERRUPTED


def main() -> None:
    """Run `graphnn`."""
    try:
        from graphnn.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.stderr.write("stopped: nothing was half written\n")
        _leave_at_once()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _leave_at_once()
        raise


def _leave_at_once() -> None:
    """End without tidying up: an engine that was left behind in native code would make Python's own end a crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)
