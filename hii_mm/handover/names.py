"""What there is to encrypt, and under which name each picture is handed over."""

import json
import os
import os.path as osp
import sys
import unicodedata
from typing import NamedTuple

from ..encryption.keyed import KeyFileError
from .files import locked, write_atomically

WORK, MANIFEST, REJECTS = '.hii-mm', 'manifest.json', 'rejects.jsonl'
RESERVED = frozenset({WORK, MANIFEST, REJECTS, 'annotations'})
JOINER = '\u200d'  # in the names of some emoji
NO_PICTURE = frozenset(
    {'', '.txt', '.json', '.csv', '.xml', '.md', '.html', '.pdf', '.zip', '.db', '.ini', '.yaml', '.yml'}
)


def copy_around(path):
    """The encrypted copy, finished or not, that a path lies in; None where it lies in none.

    Args:
        path (str): a file or folder, there or not.
    """
    folder = osp.realpath(path)
    while True:
        if osp.isdir(osp.join(folder, WORK)) or _is_manifest(osp.join(folder, MANIFEST)):
            return folder
        if folder == osp.dirname(folder):
            return None
        folder = osp.dirname(folder)


def _is_manifest(path):
    try:
        with open(path, 'rb') as file:
            return b'"hii-mm manifest"' in file.read(64)
    except OSError:
        return False


def shown(name):
    """A file name for a message: as it is, or escaped where it holds what cannot be printed."""
    try:
        name.encode(sys.stdout.encoding or 'ascii')
    except (UnicodeError, LookupError):
        return ascii(name)[1:-1]
    return name if name.isprintable() else ascii(name)[1:-1]


class Entry(NamedTuple):
    """One file of SRC.

    Attributes:
        name: the name in DST, or for a reject the one that is told.
        file: the path below SRC.
        reason: why it cannot be handed over, or None.
    """

    name: str
    file: str
    reason: object = None

    @property
    def image_id(self):
        """What its plan is derived from: the path below SRC without the extension."""
        return osp.splitext(self.file)[0]


def pseudonym(key, image_id):
    """32 hex digits in place of a file name; whoever has the key can compute them from the id."""
    return key.derive('hii-mm file name v1', image_id.encode('utf-8', 'surrogateescape'), length=16).hex()


def scan(src):
    """(path below ``src``, None or why not) of every file there, folders and files sorted; follows no link to a folder.

    Raises:
        OSError: a folder that cannot be read.
    """

    def stop(error):
        raise error

    for folder, folders, files in os.walk(src, onerror=stop):
        folders.sort()
        for name in sorted(folders):
            path = osp.join(folder, name)
            if osp.islink(path):
                yield osp.relpath(path, src), 'a symbolic link to a folder, which is not followed'
        for name in sorted(files):
            yield osp.relpath(osp.join(folder, name), src), None


def entries(found, settings, key, flatten=None):
    """What becomes of each file found, sorted by its new name.

    Of two files whose ids are equal but for case, the first keeps the name
    and the other is rejected: they would be one file on many file systems.

    Args:
        found: (path below SRC, None or why not), as :func:`scan` gives.
        settings: the :class:`Settings`.
        key: the :class:`MasterKey`, for pseudonyms.
        flatten: with ``rename``, the folders of each path that stay (a dict
            path -> prefix); None keeps all, as they are the class names.

    Returns:
        list[Entry]
    """
    seen, out = {}, []
    for file, reason in found:
        image_id, extension = osp.splitext(file)
        reason = reason or why_not(image_id, extension, settings)
        folded = unicodedata.normalize('NFC', image_id).casefold()
        if reason is None and seen.setdefault(folded, file) != file:
            reason = f'its name is that of {told(seen[folded], key, settings)!r} but for case or extension'
        if settings.rename:
            folder = osp.dirname(file) if flatten is None else flatten[file]
            name = osp.join(folder, pseudonym(key, image_id)) + settings.extension
        else:
            name = to_name(image_id, settings)
        out.append(Entry(name if reason is None else told(file, key, settings), file, reason))
    return sorted(_without_clashes(out))


def to_name(image_id, settings):
    """The name in DST. In tar files a dot ends a sample's name, so those before the extension become %2E."""
    if settings.format == 'shards':
        folder, stem = osp.split(image_id)
        image_id = osp.join(folder, stem.replace('%', '%25').replace('.', '%2E'))
    return image_id + settings.extension


def to_id(name, settings):
    """Undo :func:`to_name`."""
    folder, stem = osp.split(osp.splitext(name)[0])
    if settings.format == 'shards':
        stem = stem.replace('%2E', '.').replace('%25', '%')
    return osp.join(folder, stem)


def told(file, key, settings):
    """How a file is called where a trainer may read it."""
    return pseudonym(key, osp.splitext(file)[0]) if settings.rename else file


def why_not(image_id, extension, settings):
    """Why a path cannot be handed over, or None."""
    if extension.lower() in NO_PICTURE:
        return 'its extension is none of a picture'
    parts = image_id.split('/')
    if parts[0] in RESERVED:
        return f'{parts[0]!r} is a name that the encrypted copy needs itself'
    kept = parts[:-1] if settings.rename else parts
    for part in kept:
        if not all(c.isprintable() or c in JOINER or unicodedata.category(c) == 'Zs' for c in part):
            return 'control characters, or no UTF-8, in its name' + ('' if settings.rename else '; --rename takes it')
    if not settings.rename and len(os.fsencode(osp.basename(to_name(image_id, settings)))) > 255:
        return f'its name is too long for {settings.extension} at the end; --rename takes it'
    return None


def sources(src, settings, key):
    """Everything in SRC that a picture of the copy could come from.

    Returns:
        dict: {image id, or pseudonym with ``rename``: [paths below SRC]}, a
        picture before what lies beside it, such as a file of its labels.
    """
    found = {}
    for file, reason in scan(src):
        image_id = osp.splitext(file)[0]
        if reason is None:
            found.setdefault(pseudonym(key, image_id) if settings.rename else image_id, []).append(file)
    for files in found.values():
        files.sort(key=lambda file: why_not(*osp.splitext(file), settings) is not None)
    return found


def _without_clashes(found):
    """The entries, those rejected whose new name is also that of a folder."""
    folders = set()
    for entry in found:
        folder = osp.dirname(entry.name) if entry.reason is None else ''
        while folder and folder.casefold() not in folders:
            folders.add(folder.casefold())
            folder = osp.dirname(folder)
    for entry in found:
        if entry.reason is None and entry.name.casefold() in folders:
            entry = entry._replace(reason=f'{entry.name!r} is also the name of a folder')
        yield entry


class NameMap:
    """The owner's file of pseudonyms, one JSON line each: name, image id, file. Mode 0600.

    Args:
        path: the file; it may not be there yet.
    """

    def __init__(self, path):
        self.path = str(path)

    def read(self):
        """``{pseudonym without folder and extension: path below SRC}``.

        Raises:
            KeyFileError: not there, or no such file.
        """
        try:
            with open(self.path, encoding='utf-8') as file:
                rows = map(json.loads, file)
                return {row['name']: row['file'] for row in rows}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeyFileError(f'the map of names, {self.path!r}, cannot be read: {error}') from None

    def add(self, rows):
        """Add ``{pseudonym: path below SRC}``; other runs' rows stay."""
        with locked(self.path + '.lock', wait=True):
            known = self.read() if osp.exists(self.path) else {}
            if rows.items() <= known.items():
                return
            known.update(rows)
            lines = (json.dumps({'name': name, 'file': known[name]}) + '\n' for name in sorted(known))
            write_atomically(self.path, ''.join(lines).encode(), mode=0o600)
