"""Copies that are made in parts."""

import shutil

import pytest

import hii_mm
from helpers.copies import start, tree, write_images
from hii_mm import Scheme
from hii_mm.errors import CopyError, ManifestError, RefusedError, UsageError
from hii_mm.handover.layout import WORK
from hii_mm.handover.parts import part_of

SCHEME = Scheme(16)


def test_parts_together_are_one_run(tmp_path, src, key):
    (src / 'notes.txt').write_text('not an image')
    whole = hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME)
    with pytest.raises(RefusedError, match='holds no parts of a run'):
        hii_mm.merge(tmp_path / 'dst', key=key)
    part = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, part=(1, 3))
    assert (part.part, part.closed) == ((1, 3), False)
    with pytest.raises(CopyError, match='these of 3 parts are not finished: 1, 3'):
        hii_mm.merge(tmp_path / 'dst', key=key)
    for variables in ({'RANK': '0', 'WORLD_SIZE': '3'}, {'SLURM_PROCID': '2', 'SLURM_NTASKS': '3'}):
        process = start('encrypt', src, tmp_path / 'dst', '--key', key, '--quiet', '--workers', 1, env=variables)
        said = process.communicate()
        assert process.returncode in (0, 3), said
    merged = hii_mm.merge(tmp_path / 'dst', key=key)
    assert (merged.images, merged.rejects, merged.closed) == (24, whole.rejects, True)
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')
    assert hii_mm.merge(tmp_path / 'dst', key=key).rejects == whole.rejects  # again: it is closed


@pytest.mark.parametrize('options', [{'format': 'shards', 'shard_size': 5}, {'rename': True}])
def test_parts_of_other_kinds_of_copies(tmp_path, src, key, options):
    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, **options)
    for index in (1, 0):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, part=(index, 2), **options)
    hii_mm.merge(tmp_path / 'dst', key=key)
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')


def test_parts_that_do_not_belong_together(tmp_path, src, key):
    dst = tmp_path / 'dst'
    hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, part=(0, 2))
    with pytest.raises(RefusedError, match='is being written in other parts'):
        hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, part=(0, 3))
    with pytest.raises(RefusedError, match='begun with parameters.gap = 0, but now it is 1'):
        hii_mm.encrypt(src, dst, key=key, scheme=Scheme(16, gap=1), part=(1, 2))
    hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, part=(1, 2))
    hii_mm.write_new_key(tmp_path / 'other')
    with pytest.raises(RefusedError, match='was encrypted with key'):
        hii_mm.merge(dst, key=tmp_path / 'other')
    shutil.copy(dst / WORK / 'part-00000-of-00002.jsonl', dst / WORK / 'part-00000-of-00003.jsonl')
    with pytest.raises(RefusedError, match='holds parts of two runs'):
        hii_mm.merge(dst, key=key)


@pytest.mark.parametrize('line', [b'nonsense\n', b'{"i": "x"}\n', b'{"i": 1e999}\n', b'{"i": ' + b'[' * 100000 + b'\n'])
def test_a_damaged_journal_is_a_message(tmp_path, src, key, line):
    for index in (0, 1):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, part=(index, 2))
    path = tmp_path / 'dst' / WORK / 'part-00001-of-00002.jsonl'
    first, second, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second + line + b''.join(rest))
    with pytest.raises(CopyError, match='part-00001-of-00002.jsonl., line 3: '):
        hii_mm.merge(tmp_path / 'dst', key=key)
    assert not (tmp_path / 'dst' / 'manifest.json').exists()


def test_a_closed_copy_that_was_changed(tmp_path, key):
    src = write_images(tmp_path / 'src', ['a.png'])
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME)
    path = tmp_path / 'dst' / 'manifest.json'
    path.write_text(path.read_text().replace('a.png', 'b.png'))
    with pytest.raises(ManifestError, match='was changed'):
        hii_mm.merge(tmp_path / 'dst', key=key)


@pytest.mark.parametrize(
    'environ, part',
    [
        ({}, (0, 1)),
        ({'RANK': '2', 'WORLD_SIZE': '4'}, (2, 4)),
        ({'SLURM_PROCID': '0', 'SLURM_NTASKS': '2'}, (0, 2)),
        ({'SLURM_ARRAY_TASK_ID': '7', 'SLURM_ARRAY_TASK_MIN': '5', 'SLURM_ARRAY_TASK_COUNT': '3'}, (2, 3)),
    ],
)
def test_the_part_is_read_from_the_environment(environ, part):
    assert part_of(environ) == part


@pytest.mark.parametrize('environ', [{'RANK': '4', 'WORLD_SIZE': '4'}, {'RANK': 'x', 'WORLD_SIZE': '4'}])
def test_an_environment_that_names_no_part(environ):
    with pytest.raises(UsageError, match='RANK=. and WORLD_SIZE=4 do not name a part; pass --shard I/N'):
        part_of(environ)


def test_a_slurm_array_with_a_wrong_first_number():
    given = dict(SLURM_ARRAY_TASK_ID='1', SLURM_ARRAY_TASK_COUNT='2', SLURM_ARRAY_TASK_MIN='x')
    with pytest.raises(UsageError, match='SLURM_ARRAY_TASK_ID=1 and SLURM_ARRAY_TASK_COUNT=2'):
        part_of(given)
    assert part_of({**given, 'RANK': '1', 'WORLD_SIZE': '2'}) == (1, 2)
