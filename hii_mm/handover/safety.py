"""Checks that keep keys and plain images out of what the trainer gets."""

from __future__ import annotations

import os
import os.path as osp

from ..encryption import MasterKey, read_key
from ..encryption.keyfile import Passphrase
from ..errors import CannotDecryptError, RefusedError, UsageError
from ..files import StrPath
from .layout import WORK_OUT, copy_around, within

NAMES_SUFFIX = '.names.jsonl'


def check_outside_copy(path: StrPath, what: str) -> None:
    """Check that a file or folder does not lie inside an encrypted copy.

    Args:
        path: the file or folder, which need not exist.
        what: its role, for the message.

    Raises:
        UsageError: it does, and would be given to the trainer.
    """
    around = copy_around(path)
    if around is not None:
        raise UsageError(
            f'{what} {os.fspath(path)!r} lies inside the encrypted copy {around!r}, which is given to the trainer; '
            'choose a place outside it'
        )


def load_key(key: MasterKey | StrPath, insecure: bool = False, passphrase: Passphrase | None = None) -> MasterKey:
    """Return a master key, read from its file if given by path.

    Args:
        key: the key, or the path of its file.
        insecure: accept a file that other users can read.
        passphrase: see :func:`.keyfile.read_key`.

    Raises:
        UsageError: the file lies inside an encrypted copy.
        KeyFileError: the file cannot be used.
    """
    if isinstance(key, MasterKey):
        return key
    check_outside_copy(key, 'the key file')
    return read_key(key, insecure, passphrase)


def check_key_place(keyfile: StrPath | None, src: StrPath, dst: StrPath) -> None:
    """Check that a key file, or a map of names, does not lie in SRC, in DST or in a copy.

    Args:
        keyfile: the file, which need not exist; None passes.
        src: the source folder.
        dst: the copy to be written.

    Raises:
        UsageError: it does.
    """
    if keyfile is None:
        return
    check_outside_copy(keyfile, 'the key or map of names')
    for what, folder in (('SRC', src), ('DST', dst)):
        if within(keyfile, folder):
            raise UsageError(
                f'{os.fspath(keyfile)!r} lies inside {what} {os.fspath(folder)!r}; '
                'keep keys and maps of names elsewhere'
            )


def name_map_of(keyfile: StrPath) -> str:
    """Return the default path of the map of names: beside the key file."""
    return osp.realpath(keyfile) + NAMES_SUFFIX


def name_map_path(key: MasterKey | StrPath, name_map: StrPath | None) -> str:
    """Return the path of the map of names of a renamed copy.

    Raises:
        UsageError: neither a map nor a key file is named.
    """
    if name_map is not None:
        return os.fspath(name_map)
    if isinstance(key, MasterKey):
        raise UsageError('a renamed copy needs name_map, the file of pseudonyms, unless key is the path of a key file')
    return name_map_of(key)


def check_source(src: StrPath, dst: StrPath) -> None:
    """Check that SRC can be encrypted to DST.

    Raises:
        RefusedError: SRC is not a folder or lies inside a copy, or one of them contains the other.
    """
    if not osp.isdir(src):
        raise RefusedError(f'SRC {os.fspath(src)!r} is not a folder')
    around = copy_around(src)
    if around is not None:
        raise RefusedError(
            f'SRC {os.fspath(src)!r} lies inside the encrypted copy {around!r}; encrypt the original images instead'
        )
    if within(src, dst) or within(dst, src):
        raise RefusedError(f'SRC {os.fspath(src)!r} and DST {os.fspath(dst)!r} must not contain each other')


def check_output(out: StrPath, dst: StrPath) -> None:
    """Check that the copy DST can be decrypted to OUT.

    Raises:
        CannotDecryptError: OUT is neither a new or empty folder nor left by a
            decryption that was stopped, or plain images would lie inside a copy.
    """
    named = os.fspath(out)
    if osp.lexists(out) and not (osp.isdir(out) and (not os.listdir(out) or WORK_OUT in os.listdir(out))):
        raise CannotDecryptError(f'OUT {named!r} is not empty; choose a new folder')
    around = copy_around(out)
    if around is not None and around != osp.realpath(dst):
        raise CannotDecryptError(
            f'OUT {named!r} lies inside the encrypted copy {around!r}, which is given to the trainer; '
            'choose another folder'
        )
    if within(out, dst) or within(dst, out):
        raise CannotDecryptError(
            f'OUT {named!r} and DST {os.fspath(dst)!r} must not contain each other: '
            'plain images would be given to the trainer'
        )
