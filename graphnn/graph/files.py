"""Files: reading a whole text, and writing one whole or not at all."""

from __future__ import annotations

import csv
import gzip
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

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


def read_rows(path: str | Path, *, what: str) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of each line of a delimited table, header first; all have as many fields as the header.

    The delimiter (tab, comma or semicolon) is read off the header. Names in the header and in the first column are
    stripped; empty lines are skipped. Lines are read one by one: the table never stands in memory as text.

    Args:
        path: The file, plain or ".gz".
        what: What it should be, for messages.

    Yields:
        Number of the (last) line of the row, 1 for the first of the file, and its fields.

    Raises:
        MissingFileError: There is no such file.
        FormatError: The table is empty, cannot be read, has a header of one field, or a line of another length.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(path, what=what)
    width = 0
    try:
        with _open_text(path) as file:
            header = file.readline()
            delimiter = max("\t,;", key=header.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            for row in reader:
                if not any(field.strip() for field in row):
                    continue
                if not width:
                    width, row = len(row), [name.strip() for name in row]
                if len(row) != width or width < 2:
                    raise FormatError(_width_message(what, width=width, got=len(row)), path=path, line=reader.line_num)
                yield reader.line_num, [row[0].strip(), *row[1:]]
    except UnicodeDecodeError as error:
        raise FormatError(
            f"expected {what} in UTF-8 text, got other bytes; is this the right file?", path=path
        ) from error
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise FormatError(f"expected {what}, but it cannot be read ({error}); check the file", path=path) from error
    if not width:
        raise FormatError(f"expected {what}, got an empty file; is this the right file?", path=path)


def _open_text(path: Path) -> TextIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _width_message(what: str, *, width: int, got: int) -> str:
    if width < 2:
        return f"expected {what} with at least two columns, got one; separate them by tabs or commas"
    hint = "write.table of R needs col.names=NA" if got == width + 1 else "quote names that hold the delimiter"
    return f"expected {width:,} fields as in the header, got {got:,}; {hint}"


def check_output(path: str | Path, *, force: bool) -> Path:
    """Refuse, before any work is done, an output that could not or must not be written.

    Raises:
        OutputExistsError: The file exists, and not `force`.
        MissingFileError: Its folder does not exist.
        OptionError: It is a folder, a device or a pipe.
    """
    path = Path(path)
    if path.is_dir():
        raise OptionError("output", str(path), "a file", do="it is a folder, so add a file name")
    if path.exists() and not path.is_file():
        raise OptionError("output", str(path), "a regular file", do="it is a device or a pipe, which would be replaced")
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
    write_together({Path(path): data}, force=force)


def write_together(contents: Mapping[Path, bytes], *, force: bool = False) -> None:
    """Write several files: all under temporary names first, then moved to their places one right after the other.

    Args:
        contents: What to write where.
        force: Replace files that are there.

    Raises:
        OutputExistsError, MissingFileError, OptionError: as `check_output`; nothing was written then.
    """
    contents = {Path(os.path.realpath(check_output(path, force=force))): data for path, data in contents.items()}
    staged: dict[Path, str] = {}
    try:
        for path, data in contents.items():
            handle, staged[path] = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(staged[path], 0o666 & ~_umask())
        for path, temporary in staged.items():
            os.replace(temporary, path)
    except BaseException:
        for temporary in staged.values():
            Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
