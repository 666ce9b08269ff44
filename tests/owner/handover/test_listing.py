"""The sorted listing of the source files, against a slow one that keeps everything in memory."""

import errno
import os.path as osp
import tracemalloc
import unicodedata

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hii_mm import Scheme
from hii_mm.encryption import MasterKey
from hii_mm.handover import Settings, names, sorting, sources
from hii_mm.handover.listing import Listing
from hii_mm.handover.run import describe

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
            out[i] = names.reported_name(file, KEY, chosen), file, f'{name!r} is also the name of a folder'
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


def test_a_large_listing_is_not_held_in_memory(monkeypatch):
    monkeypatch.setattr(sorting, '_RUN', 1000)
    monkeypatch.setattr(sorting, '_HASHES', 1000)
    found = ((f'{i % 7}/{i:05}.png', None) for i in range(12_000))
    tracemalloc.start()
    result = Listing(found, settings(), KEY)
    assert sum(entry.reason is None for entry in result) == 12_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 450_000  # bytes; one string for each file would be 720,000
    result.close()


def test_files_of_one_id_are_found_among_many():
    found = [(f'{i:06}.{extension}', None) for i in range(2000) for extension in ('jpg', 'png')]
    result = Listing(found, settings(), KEY)
    assert sum(entry.reason is not None for entry in result) == 2000
    assert result[1].reason == "differs from '000000.jpg' only in case or extension"
    result.close()


def test_a_full_disk_is_a_system_error(monkeypatch):
    with open('/dev/full', 'r+b', buffering=0) as full:
        monkeypatch.setattr(sorting.tempfile, 'TemporaryFile', lambda **options: full)
        with pytest.raises(OSError, match='choose another folder with TMPDIR') as error:
            Listing(((f'{i:06}.png', None) for i in range(5000)), settings(), KEY)
    assert error.value.errno == errno.ENOSPC


@hypothesis.settings(max_examples=30)
@given(files=FILES, rename=st.booleans())
def test_a_run_names_the_classes_of_what_is_encrypted(files, rename):
    chosen = settings(format='shards', rename=rename)
    result = Listing([(file, 'it is bad' if i == 0 else None) for i, file in enumerate(files)], chosen, KEY)
    expected = {entry.name.split('/')[0] for entry in result if entry.reason is None and '/' in entry.name}
    assert describe(chosen, KEY, result, []).classes == sorted(expected)
    result.close()


def test_a_run_tells_sources_apart():
    def digest(found, **options):
        result = Listing(found, settings(**options), KEY)
        return describe(settings(**options), KEY, result, []).listing

    files = [('a/b.png', None), ('a/c.png', None)]
    others = [files[:1], [('a/b.png', None), ('a/c.jpg', None)], [('a/b.png', None), ('a/c.png', 'bad')]]
    found = [digest(some) for some in (files, *others)]
    assert len(set(found)) == 4
    assert digest(files[::-1]) == found[0]


@given(
    st.text('aA1_ -/.%&é\n~', max_size=70),
    st.sampled_from(['.png', '.PNG', '.txt', '.Json', '', '.', '.tif ', '.j.jpg']),
)
def test_a_simple_path_is_taken_by_any_copy(image_id, extension):
    found = names.simple_file(image_id + extension)
    if found is not None:
        assert found.groups() == osp.splitext(image_id + extension)
        for options in ({}, {'rename': True}, {'format': 'shards'}):
            assert names.reject_reason(*found.groups(), settings(**options)) is None
            assert names.to_name(found[1], settings(**options)) == found[1] + '.png'


def test_most_paths_are_simple():
    for file in ('train/n01440764/n01440764_10026.JPEG', 'IMG_0001 (2).jpg', '2026-11-28/scan&copy.tiff', 'a~1.webp'):
        assert names.simple_file(file)
    for file in ('annotations/1.png', 'annotations.png', 'notes.TXT', '.png', 'a/.png', 'x' * 64 + '.png', 'a.b.png'):
        assert not names.simple_file(file)


def test_a_scan_finds_what_a_walk_does_in_the_order_of_names(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, '_SORTED', 3)
    made = [f'{a}/{b}/{c}' for a in 'zay' for b in 'xcb' for c in '5123'] + ['q.png', 'z/0.png', 'a/0.png']
    for name in made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [file for file, reason in sources.scan(str(tmp_path)) if reason is None]
    assert sorted(found) == sorted(made)
    monkeypatch.setattr(sources, '_SORTED', 100)
    folders = [osp.dirname(file) for file, _ in sources.scan(str(tmp_path))]
    assert folders == sorted(folders)
    leaves = [file for file, _ in sources.scan(str(tmp_path)) if file.count('/') == 2]
    assert leaves == sorted(leaves)
