"""Zip archives with the same bytes on every run, a seal over all of them, and limits on what is unpacked.

May import `graphnn.errors` only.

The seal is the archive's comment, its last bytes: SHA-256 over every byte before the hash. A zip alone would not notice
a change in its own headers, which carry no checksum.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Mapping

from graphnn.errors import FormatError, quoted

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can hold
_SEAL = b"graphnn sha256 "
_HASH_LENGTH = 64
# What an archive may claim to unpack to. Models of the field shrink by 3 to 30; deflate can reach 1,000.
_ALWAYS_FINE = 64 * 2**20
_MOST_GROWTH = 200


def pack(members: Mapping[str, bytes], *, compression: int, sealed: bool = False) -> bytes:
    """A zip of the members in their order; the same bytes for the same members, under one version of zlib.

    Args:
        members: Content by name.
        compression: `STORED` or `DEFLATED`.
        sealed: Whether the archive ends with a hash over all of it.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, date_time=_LONG_AGO)
            entry.create_system = 3
            archive.writestr(entry, data, compress_type=compression)
        if sealed:
            archive.comment = _SEAL + b"0" * _HASH_LENGTH
    data = buffer.getvalue()
    return data[:-_HASH_LENGTH] + _hash(data[:-_HASH_LENGTH]) if sealed else data


def check_seal(data: bytes) -> None:
    """Refuse an archive in which any byte is not as it was written.

    Raises:
        FormatError: Its seal is absent, or does not fit.
    """
    body, seal = data[:-_HASH_LENGTH], data[-_HASH_LENGTH:]
    if not body.endswith(_SEAL):
        raise FormatError(
            "expected a hash of the whole file at its end, got none; it was cut short, or packed again by another "
            "program, so take the file as it was written"
        )
    if seal != _hash(body):
        raise FormatError(
            "expected a file that fits the hash at its end, but bytes in it were changed; copy it again or save it anew"
        )


def unpack(data: bytes) -> dict[str, bytes]:
    """Every member of an archive, in its order.

    Raises:
        FormatError: It is no zip, is damaged, holds a name twice, or claims to unpack to far more than it is.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_size(archive, len(data))
            twice = [name for name, count in Counter(archive.namelist()).items() if count > 1]
            if twice:
                raise FormatError(f"expected each member once, got {quoted(twice)} again; save it anew")
            return {entry.filename: _read(archive, entry) for entry in archive.infolist()}
    except FormatError:
        raise
    # zipfile tells damage in many words: BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError
    except Exception as error:
        raise FormatError(
            f"expected an archive, but it cannot be read ({error}); was it cut short, or is it another file?"
        ) from error


def check_size(archive: zipfile.ZipFile, n_bytes: int) -> None:
    """Refuse, before anything is unpacked, what would fill the memory.

    Args:
        archive: Of which only the directory was read.
        n_bytes: How long the archive itself is.

    Raises:
        FormatError: It claims to unpack to more than 64 MiB and to more than 200 times its length.
    """
    claimed, most = sum(entry.file_size for entry in archive.infolist()), max(_ALWAYS_FINE, _MOST_GROWTH * n_bytes)
    if claimed > most:
        raise FormatError(
            f"expected an archive that unpacks to at most {most:,} bytes, got one that claims {claimed:,}; "
            "it is damaged, or was made to fill the memory"
        )


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """One member. The length is given, since an archive that claims too little would be unpacked whole without it."""
    with archive.open(entry) as file:
        data = file.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise FormatError(f"expected {entry.file_size:,} bytes of {entry.filename}, got {len(data):,}; save it anew")
    return data


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
