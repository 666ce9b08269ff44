"""The id of a data set: one for all parts of a run, another one for every copy."""

import json
import multiprocessing
import os
import re

import pytest

import hii_mm
from helpers.copies import DATASET, journal_text, pixels, plan_of, tree, write_images
from hii_mm import Scheme
from hii_mm.errors import CopyError, ManifestError, RefusedError
from hii_mm.handover import dataset, journal
from hii_mm.handover.layout import WORK

SCHEME = Scheme(16)


def test_two_folders_under_one_key_share_no_permutation(tmp_path, key):
    names = [f'{i}.png' for i in range(12)]
    src = write_images(tmp_path / 'train', names, (64, 64, 3))
    for name in ('one', 'two'):
        hii_mm.encrypt(src, tmp_path / name, key=key, scheme=SCHEME)
    ids = [hii_mm.Manifest(tmp_path / name).dataset_id for name in ('one', 'two')]
    assert ids[0] != ids[1]
    assert all(re.fullmatch('[0-9a-f]{32}', each) for each in ids)
    for name in names:
        assert (pixels(tmp_path / 'one' / name) != pixels(tmp_path / 'two' / name)).any()
        one, two = (plan_of(tmp_path / copy, key, name[:-4], (64, 64)).shuffle for copy in ('one', 'two'))
        assert one.permutation.tolist() != two.permutation.tolist()
    for copy in ('one', 'two'):
        assert hii_mm.verify(tmp_path / copy, key=key, against=src).ok


def test_pseudonyms_differ_between_folders(tmp_path, src, key):
    for name in ('one', 'two'):
        hii_mm.encrypt(src, tmp_path / name, key=key, scheme=SCHEME, rename=True)
    one, two = ({os.path.basename(path) for path in tree(tmp_path / name)} for name in ('one', 'two'))
    assert one & two == {'manifest.json'}
    for name in ('one', 'two'):  # one map of names serves both
        assert hii_mm.decrypt(tmp_path / name, tmp_path / f'{name}-plain', key=key).images == 24
        assert hii_mm.verify(tmp_path / name, key=key, against=src).ok
        assert tree(tmp_path / f'{name}-plain').keys() == tree(src).keys()


def test_parts_share_the_id_that_the_first_one_drew(tmp_path, src, key):
    dst = tmp_path / 'dst'
    hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, part=(2, 3))
    drawn = (dst / WORK / 'dataset-id').read_text().strip()
    for index in (0, 1):
        hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, part=(index, 3))
    for path in journal.journals(str(dst)):
        assert journal.read_run(path).dataset_id == drawn
    hii_mm.merge(dst, key=key)
    assert hii_mm.Manifest(dst).dataset_id == drawn
    assert hii_mm.verify(dst, key=key, against=src).ok


def test_parts_of_two_data_sets_are_not_merged(tmp_path, src, key):
    dst = tmp_path / 'dst'
    for index in (0, 1):
        hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, dataset_id=DATASET, part=(index, 2))
    (path,) = (dst / WORK).glob('part-00001*.jsonl')
    changed = path.read_text().replace(DATASET, DATASET[::-1])
    path.write_text(journal_text(map(json.loads, changed.splitlines())))
    with pytest.raises(RefusedError, match=f"begun with dataset_id = '{DATASET}', but now it is '{DATASET[::-1]}'"):
        hii_mm.merge(dst, key=key)
    assert path.exists()


def test_another_id_than_the_runs_is_refused(tmp_path, src, key):
    dst = tmp_path / 'dst'
    hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, dataset_id=DATASET.upper(), part=(0, 2))
    message = f"begun with dataset_id = '{DATASET}', but now it is '{DATASET[::-1]}'"
    with pytest.raises(RefusedError, match=message):
        hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, dataset_id=DATASET[::-1], part=(1, 2))
    hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, part=(1, 2))
    hii_mm.merge(dst, key=key)
    with pytest.raises(RefusedError, match=message):
        hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, dataset_id=DATASET[::-1], resume=True)
    assert hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, resume=True).images == 24


@pytest.mark.parametrize('wrong', ['', '0' * 31, 'x' * 32, 7])
def test_what_is_no_id_is_refused_before_anything_is_written(tmp_path, src, key, wrong):
    with pytest.raises((ValueError, TypeError), match='dataset_id must be'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, dataset_id=wrong)
    assert not (tmp_path / 'dst').exists()


def test_a_run_that_was_killed_before_its_journal_keeps_its_id(tmp_path, src, key):
    (tmp_path / 'dst' / WORK).mkdir(parents=True)
    drawn = dataset.shared_id(str(tmp_path / 'dst'), None)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True)
    assert hii_mm.Manifest(tmp_path / 'dst').dataset_id == drawn


def test_a_run_that_does_not_begin_leaves_nothing(tmp_path, key):
    (tmp_path / 'src').mkdir()
    with pytest.raises(CopyError, match='contains no file'):
        hii_mm.encrypt(tmp_path / 'src', tmp_path / 'dst', key=key, scheme=SCHEME)
    assert not (tmp_path / 'dst').exists()


@pytest.mark.parametrize('content', [b'', b'0' * 31 + b'\n', b'0' * 32, b'g' * 32 + b'\n', bytes(33)])
def test_a_damaged_record_is_a_message(tmp_path, src, key, content, monkeypatch):
    monkeypatch.setattr(dataset, '_SECONDS', 0)
    (tmp_path / 'dst' / WORK).mkdir(parents=True)
    (tmp_path / 'dst' / WORK / 'dataset-id').write_bytes(content)
    with pytest.raises(CopyError, match='dataset-id. is damaged: it must hold 32 hex digits'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True)


def _draw(folder, start, found):
    start.wait()
    found.put(dataset.shared_id(folder, None))


def test_parts_that_start_at_once_draw_one_id(tmp_path):
    (tmp_path / WORK).mkdir()
    context = multiprocessing.get_context('fork')
    start, found = context.Event(), context.Queue()
    parts = [context.Process(target=_draw, args=(str(tmp_path), start, found)) for _ in range(16)]
    for part in parts:
        part.start()
    start.set()
    assert len({found.get(timeout=30) for _ in parts}) == 1
    for part in parts:
        part.join()
    assert os.listdir(tmp_path / WORK) == ['dataset-id']


def test_the_id_is_signed(copy, key, tmp_path):
    path = copy / 'manifest.json'
    drawn = json.loads(path.read_text())['dataset_id']
    path.write_text(path.read_text().replace(drawn, DATASET))
    assert not hii_mm.verify(copy, key=key).ok
    with pytest.raises(ManifestError, match='was changed'):
        hii_mm.decrypt(copy, tmp_path / 'out', key=key)
