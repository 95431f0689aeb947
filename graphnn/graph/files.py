"""Files: reading a whole text, and writing one whole or not at all."""

from __future__ import annotations

import gzip
import os
import tempfile
import zlib
from pathlib import Path

from graphnn.errors import FormatError, MissingFileError, OptionError, OutputExistsError


def read_text(path: str | Path, *, what: str) -> str:
    """The whole text of a UTF-8 file, plain or, if its name ends in ".gz", gzip.

    Args:
        path: The file.
        what: What it should be, for messages, e.g. "a SIF file".

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is a folder, cannot be read, or is not UTF-8 text.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(path, what=what)
    try:
        data = path.read_bytes()
        if path.name.endswith(".gz"):
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"expected {what}, but it cannot be read ({error}); check the file", path=path) from error
    except UnicodeDecodeError as error:
        raise FormatError(
            f"expected {what} in UTF-8 text, got other bytes at offset {error.start}; convert it", path=path
        ) from error


def check_output(path: str | Path, *, force: bool) -> Path:
    """Refuse, before any work is done, an output that could not or must not be written.

    Raises:
        OutputExistsError: The file exists, and not `force`.
        MissingFileError: Its folder does not exist.
        OptionError: It is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise OptionError("output", str(path), "a file", do="it is a folder, so add a file name")
    if path.exists() and not force:
        raise OutputExistsError(path)
    if not path.parent.is_dir():
        raise MissingFileError(path.parent, what="a folder to write to")
    return path


def write_whole(path: str | Path, data: bytes, *, force: bool = False) -> None:
    """Write a file under a temporary name beside its place and move it there: nobody ever sees half of it.

    Args:
        path: Where to.
        data: All of it.
        force: Replace a file that is there.

    Raises:
        OutputExistsError, MissingFileError, OptionError: as `check_output`.
    """
    path = check_output(path, force=force)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
