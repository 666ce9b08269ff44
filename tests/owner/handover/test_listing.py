"""The sorted listing of the source files, against a slow one that keeps everything in memory."""

import errno
import os.path as osp
import sqlite3
import tracemalloc
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hii_mm import Scheme
from hii_mm.encryption import MasterKey
from hii_mm.handover import Settings, listing, names
from hii_mm.handover.listing import Listing

KEY = MasterKey(bytes(32))
LETTERS = ['a', 'A', 'é', 'e\u0301', 'É', ' ', '-', '.', '%', '.png', '.PNG', '.jpg', '.txt', '\udcff', '\U0001f600']
PARTS = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=3).map(''.join).filter(lambda part: part.strip('.'))
FILES = st.lists(st.lists(PARTS, min_size=1, max_size=3).map('/'.join), max_size=12, unique=True)


def settings(**options):
    return Settings(Scheme(16), dataset_id='a' * 32, **options)


def slow(found, chosen, flat):
    """Return the entries as lists and dicts give them."""
    first, out = {}, []
    for file, reason in sorted(found):
        image_id, extension = osp.splitext(file)
        reason = reason or names.reject_reason(image_id, extension, chosen)
        if reason is None:
            kept = first.setdefault(unicodedata.normalize('NFC', image_id).casefold(), file)
            if kept != file:
                shown = names.reported_name(kept, KEY, chosen)
                reason = f'differs from {shown!r} only in case or extension'
        if reason is not None:
            name = names.reported_name(file, KEY, chosen)
        elif chosen.rename:
            folder = osp.dirname(file)
            folder = '' if flat or not folder else names.renamed_folder(folder, KEY, chosen)
            name = osp.join(folder, names.pseudonym(KEY, image_id, chosen.dataset_id)) + chosen.extension
        else:
            name = names.to_name(image_id, chosen)
        out.append((name, file, reason))
    folders = set()
    for name, _, reason in out:
        parts = name.split('/')[:-1] if reason is None else []
        folders |= {'/'.join(parts[: i + 1]).casefold() for i in range(len(parts))}
    for i, (name, file, reason) in enumerate(out):
        if reason is None and name.casefold() in folders:
            out[i] = name, file, f'{name!r} is also the name of a folder'
    return sorted(out)


@given(
    files=FILES,
    bad=st.integers(0, 3),
    options=st.sampled_from([{}, {'rename': True}, {'rename': True, 'keep_class_names': True}, {'format': 'shards'}]),
    flat=st.booleans(),
)
def test_the_listing_is_what_a_slow_one_is(files, bad, options, flat):
    found = [(file, 'it is bad' if i < bad else None) for i, file in enumerate(files)]
    chosen = settings(**options)
    result = Listing(found, chosen, KEY, flat)
    assert [tuple(entry) for entry in result] == slow(found, chosen, flat)
    assert [result[i] for i in range(len(result))] == list(result)
    with pytest.raises(IndexError):
        result[len(result)]
    result.close()


def test_a_large_listing_is_not_held_in_memory():
    found = ((f'{i % 7}/{i:06}.png', None) for i in range(60_000))
    tracemalloc.start()
    result = Listing(found, settings(), KEY)
    assert sum(entry.reason is None for entry in result) == 60_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000  # bytes; one string for each file would be 4 MB
    result.close()


def test_many_pairs_of_one_name_take_no_longer_than_others():
    found = [(f'{i:06}.{extension}', None) for i in range(20_000) for extension in ('jpg', 'png')]
    result = Listing(found, settings(), KEY)
    assert sum(entry.reason is not None for entry in result) == 20_000
    assert result[1].reason == "differs from '000000.jpg' only in case or extension"
    result.close()


def test_a_full_disk_is_a_system_error(monkeypatch):
    def small(*args, **options):
        connection = sqlite3.Connection(*args, **options)
        connection.execute('PRAGMA max_page_count = 20')
        return connection

    monkeypatch.setattr(listing.sqlite3, 'connect', small)
    with pytest.raises(OSError, match='choose another folder with TMPDIR') as error:
        Listing(((f'{i:06}.png', None) for i in range(5000)), settings(), KEY)
    assert error.value.errno == errno.ENOSPC
