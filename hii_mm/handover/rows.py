"""The rows of a manifest and the lines of a journal.

The order of the fields is the order in the files.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec


class FileRow(msgspec.Struct):
    """A file of a copy that is not an image.

    Attributes:
        name: path below the copy.
        sha256: hex digest of the content.
        bytes: size.
    """

    name: str
    sha256: str
    bytes: int


class Row(msgspec.Struct, omit_defaults=True):
    """An encrypted image.

    Attributes:
        name: path below the copy, or within the tar file.
        sha256: hex digest of the image file.
        bytes: size of the image file.
        mode: of the pixels: 'L', 'I;16', 'LA', 'RGB' or 'RGBA'.
        plain_hw: (h, w) in pixels before the encryption, resized if asked for.
        encrypted_hw: (h, w) in pixels.
        source: 16 hex digits, keyed digest of the source file, which ``update`` compares.
        shard: name of the tar file, or None.
    """

    name: str
    sha256: str
    bytes: int
    mode: str
    plain_hw: tuple[int, int]
    encrypted_hw: tuple[int, int]
    source: str
    shard: str | None = None


class Reject(msgspec.Struct):
    """A file that was not encrypted: its name as the trainer sees it, and the reason; or a malformed annotation."""

    name: str
    reason: str


class Moved(msgspec.Struct, array_like=True):
    """Encrypted COCO annotations of one image: the number of the COCO file, the image's entry and its annotations."""

    number: int
    image: dict[str, Any]
    annotations: list[dict[str, Any]]


class Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A line of a journal.

    Attributes:
        shard: a tar file that was written; its images follow.
        i: number of the source file in the listing.
        annotations: the encrypted annotations.
        dropped: how often what was left out of the annotations.
        odd: annotations that are malformed, and why.
        turned: whether it has annotations and an EXIF orientation.
        reject: why the file was not encrypted.
        row: the encrypted image.
    """

    shard: FileRow | None = None
    i: int
    annotations: list[Moved] | None = None
    dropped: dict[str, int] | None = None
    odd: list[Reject] | None = None
    turned: bool = False
    reject: Reject | None = None
    row: Row | None = None


def to_json(row: msgspec.Struct) -> bytes:
    """Return a row as one line of JSON, without its end."""
    return json.dumps(msgspec.to_builtins(row)).encode()
