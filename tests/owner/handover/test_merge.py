"""Copies that are made in parts."""

import json
import os
import shutil

import pytest

import hii_mm
from helpers.copies import DATASET, flip_byte, journal_text, start, tree, write_images
from hii_mm import Scheme
from hii_mm.errors import CopyError, ManifestError, RefusedError, UsageError
from hii_mm.handover.layout import WORK
from hii_mm.handover.parts import part_of

SCHEME = Scheme(16)


def test_parts_together_are_one_run(tmp_path, src, key):
    (src / 'notes.txt').write_text('not an image')
    whole = hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, dataset_id=DATASET)
    with pytest.raises(RefusedError, match='holds no parts of a run'):
        hii_mm.merge(tmp_path / 'dst', key=key)
    part = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, dataset_id=DATASET, part=(1, 3))
    assert (part.part, part.closed) == ((1, 3), False)
    with pytest.raises(CopyError, match='these of 3 parts are not finished: 1, 3'):
        hii_mm.merge(tmp_path / 'dst', key=key)
    for variables in ({'RANK': '0', 'WORLD_SIZE': '3'}, {'SLURM_PROCID': '2', 'SLURM_NTASKS': '3'}):
        words = [src, tmp_path / 'dst', '--key', key, '--patch-size', 16, '--quiet', '--workers', 1]
        process = start('encrypt', *words, env=variables)
        said = process.communicate()
        assert process.returncode in (0, 3), said
    merged = hii_mm.merge(tmp_path / 'dst', key=key)
    assert (merged.images, merged.rejects, merged.closed) == (24, whole.rejects, True)
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')
    assert hii_mm.merge(tmp_path / 'dst', key=key).rejects == whole.rejects  # again: it is closed


@pytest.mark.parametrize('options', [{'format': 'shards', 'shard_size': 5}, {'rename': True}])
def test_parts_of_other_kinds_of_copies(tmp_path, src, key, options):
    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, dataset_id=DATASET, **options)
    for index, given in ((1, DATASET), (0, None)):  # the second part takes the id of the first
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, dataset_id=given, part=(index, 2), **options)
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


def finished(tmp_path, src, key, options):
    """Encrypt all of two parts, and a copy that is whole; returns the folder of the parts."""
    for index in (0, 1):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, part=(index, 2), dataset_id='a' * 32, **options)
    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, dataset_id='a' * 32, **options)
    return tmp_path / 'dst'


def first_file(dst, part):
    """Return the first file that a part wrote."""
    line = (dst / WORK / f'part-{part:05}-of-00002.jsonl').read_text().splitlines()[1]
    row = json.loads(line)
    return dst / (row.get('shard') or row['row'])['name']


def journal_of(dst, part):
    return dst / WORK / f'part-{part:05}-of-00002.jsonl'


def without_line(path, number):
    text = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b''.join(text[:number] + text[number + 1 :]))


def doubled(path, number):
    text = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b''.join([*text[: number + 1], *text[number:]]))


def other_mode(path, number):
    """Change one word of a line, as a failing disk may: the line stays valid JSON."""
    text = path.read_bytes().splitlines(keepends=True)
    text[number] = text[number].replace(b'"mode": "RGB"', b'"mode": "XYZ"')
    path.write_bytes(b''.join(text))


def other_size(path, number):
    """Change the plain size of an image, which nothing but the journal tells."""
    text = path.read_bytes().splitlines(keepends=True)
    text[number] = text[number].replace(b'"plain_hw": [48, 64]', b'"plain_hw": [64, 48]')
    path.write_bytes(b''.join(text))


def copied(dst):
    """Copy the journal of part 1 over that of part 2."""
    shutil.copy(journal_of(dst, 0), journal_of(dst, 1))


INCOMPLETE = {
    'a file is missing': (lambda dst: first_file(dst, 1).unlink(), ': missing'),
    'a file is short': (lambda dst: os.truncate(first_file(dst, 1), 100), 'it has 100 bytes, but the manifest says'),
    'a file was changed': (lambda dst: flip_byte(first_file(dst, 1)), 'its SHA-256 does not match'),
    'a folder for a file': (
        lambda dst: (first_file(dst, 1).unlink(), first_file(dst, 1).mkdir()),
        'not a regular file',
    ),
    "another part's journal": (copied, 'has file number 0 where .* belongs'),
    'a line is missing': (lambda dst: without_line(journal_of(dst, 1), 3), 'has file number .* where .* belongs'),
    'the last line is missing': (lambda dst: without_line(journal_of(dst, 1), -2), 'its journal lacks 1 of 12 files'),
    'another mode': (lambda dst: other_mode(journal_of(dst, 1), 2), 'line 3: damaged: its CRC-32 is wrong'),
    'another size': (lambda dst: other_size(journal_of(dst, 1), 5), 'line 6: damaged: its CRC-32 is wrong'),
    'a line is there twice': (lambda dst: doubled(journal_of(dst, 1), 3), 'has file number .* where .* belongs'),
}


@pytest.mark.parametrize('options', [{}, {'format': 'shards', 'shard_size': 2}])
@pytest.mark.parametrize('what', INCOMPLETE)
def test_a_copy_that_is_incomplete_is_not_closed(tmp_path, src, key, options, what):
    damage, message = INCOMPLETE[what]
    dst = finished(tmp_path, src, key, options)
    damage(dst)
    if 'folder' in what:
        before = sorted(dst.rglob('*'))
    else:
        before = tree(dst)
    for workers in (1, 2):
        with pytest.raises(CopyError, match=f'part 2 of 2: .*{message}') as error:
            hii_mm.merge(dst, key=key, workers=workers)
    assert 'nothing was closed' in str(error.value)
    assert str(error.value).endswith('run hii-mm encrypt ... --shard 2/2 --resume, and then merge again')
    merge_lock = {str((dst / WORK / 'merge.lock').relative_to(dst)): b''}
    if 'folder' in what:
        assert [path for path in sorted(dst.rglob('*')) if path.name != 'merge.lock'] == before
        first_file(dst, 1).rmdir()
    else:
        assert tree(dst) == before | merge_lock
    hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, part=(1, 2), resume=True, workers=2, **options)
    seen = []
    merged = hii_mm.merge(dst, key=key, workers=2, progress=lambda *step: seen.append(step))
    assert (merged.images, merged.closed) == (24, True)
    assert seen[-1] == (24, 24, 'checking files')
    assert tree(dst) == tree(tmp_path / 'whole')


def test_both_parts_are_named(tmp_path, src, key):
    dst = finished(tmp_path, src, key, {})
    for part in (0, 1):
        first_file(dst, part).unlink()
    with pytest.raises(CopyError, match='run hii-mm encrypt ... --shard 1/2 --resume, --shard 2/2 --resume, and then'):
        hii_mm.merge(dst, key=key)


@pytest.mark.parametrize('options', [{}, {'format': 'shards', 'shard_size': 5}])
@pytest.mark.parametrize('damage', [lambda path: path.unlink(), lambda path: os.truncate(path, 9), flip_byte])
def test_a_finished_copy_that_lost_something_is_not_well(tmp_path, src, key, options, damage):
    dst = tmp_path / 'dst'
    hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, **options)
    (dst / WORK).mkdir()
    damage(sorted(path for path in dst.rglob('*') if path.suffix in ('.png', '.tar'))[0])
    before = tree(dst)
    for call in (
        lambda: hii_mm.merge(dst, key=key),
        lambda: hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, resume=True, **options),
    ):
        with pytest.raises(CopyError, match='was finished, but changed since: .*verify --deep lists all problems'):
            call()
    assert {name: data for name, data in tree(dst).items() if not name.startswith(WORK)} == before
    assert (dst / WORK).is_dir()


def test_what_an_earlier_process_wrote_is_read_again_at_the_end(tmp_path, src, key):
    """The sizes of what this process wrote are enough; of what was there before, the content counts."""

    class Stop(Exception):
        pass

    def stop(done, total, note=''):
        if done == 13:
            raise Stop

    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, dataset_id='a' * 32)
    options = dict(key=key, scheme=SCHEME, dataset_id='a' * 32)
    with pytest.raises(Stop):
        hii_mm.encrypt(src, tmp_path / 'dst', progress=stop, **options)
    flip_byte(sorted((tmp_path / 'dst').rglob('*.png'))[3])
    with pytest.raises(CopyError, match='SHA-256 .* run hii-mm encrypt ... --resume again'):
        hii_mm.encrypt(src, tmp_path / 'dst', resume=True, **options)
    hii_mm.encrypt(src, tmp_path / 'dst', resume=True, **options)
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')


@pytest.mark.parametrize('name', ['row', 'reject'])
def test_a_line_that_lost_its_row_or_its_reject_is_not_a_file(tmp_path, src, key, name):
    """The fuzz run found it: the copy was closed without that file."""
    (src / 'bad.png').write_text('not an image')
    for part in range(2):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, part=(part, 2))
    for path in (tmp_path / 'dst' / WORK).glob('*.jsonl'):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        lost = next((row for row in rows if name in row), None)
        if lost is not None:
            del lost[name]
        path.write_text(journal_text(rows))
    with pytest.raises(CopyError, match='does not say whether file number [0-9]+ was encrypted or rejected'):
        hii_mm.merge(tmp_path / 'dst', key=key)
    assert not (tmp_path / 'dst' / 'manifest.json').exists()


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda row: row.update(sha256='0' * 64), 'its SHA-256 does not match'),
        (lambda row: row.update(bytes=255), 'but the manifest says 255'),
        (lambda row: row.update(name='other.png'), 'is not in the journal'),
    ],
)
def test_rows_of_a_tar_file_that_its_images_do_not_have(tmp_path, src, key, change, message):
    """The fuzz run found it: they were signed, and verify called the copy damaged."""
    for part in range(2):
        options = {'format': 'shards', 'shard_size': 5, 'part': (part, 2)}
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, **options)
    path = tmp_path / 'dst' / WORK / 'part-00001-of-00002.jsonl'
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    change(next(row['row'] for row in rows if 'row' in row))
    path.write_text(journal_text(rows))
    with pytest.raises(CopyError, match=f'{message}.*--shard 2/2 --resume'):
        hii_mm.merge(tmp_path / 'dst', key=key)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True, **options)
    hii_mm.merge(tmp_path / 'dst', key=key)
    assert hii_mm.verify(tmp_path / 'dst', key=key, deep=True, against=src).ok
