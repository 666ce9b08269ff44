"""What a second look found: coordinates that told places, names, sidecars, runs that end at the wrong moment."""

import json
import os
import shutil
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from hii_mm.cli import main
from hii_mm.encryption.keyed import read_key
from hii_mm.handover import coco, journal
from hii_mm.handover.command import UsageError, part_of
from hii_mm.handover.names import WORK
from hii_mm.handover.settings import Settings

QUICK = ['--quiet', '--workers', '1']


def run(*words, code=0):
    assert main([str(word) for word in words]) == code


@pytest.fixture
def key(tmp_path):
    """A key file."""
    run('keygen', tmp_path / 'key')
    return tmp_path / 'key'


def pictures(folder, names, h=64, w=64):
    """PNG pictures of noise; gives the folder."""
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)).save(folder / name, format='PNG')
    return folder


def annotated(tmp_path, rows, h=64, w=64, **image):
    """A COCO data set of one picture; gives (SRC, json)."""
    src = pictures(tmp_path / 'src', ['0.png'], h, w)
    images = [{'id': 1, 'file_name': '0.png', 'height': h, 'width': w, **image}]
    rows = [{'id': i, 'image_id': 1, 'category_id': 1, 'iscrowd': 0, **row} for i, row in enumerate(rows, 1)]
    (tmp_path / 'a.json').write_text(
        json.dumps({'images': images, 'annotations': rows, 'categories': [{'id': 1, 'name': 'thing'}]})
    )
    return src, tmp_path / 'a.json'


def moved(copy):
    return json.loads((copy / 'annotations' / 'a.json').read_text())['annotations']


def test_coordinates_of_a_resized_and_shuffled_picture_tell_no_place(tmp_path, key):
    """Whole plain coordinates, scaled, would have digits that only the right column of patches explains."""
    rng = np.random.default_rng(1)
    corners = rng.integers(0, 200, (12, 2))
    rows = [
        {
            'bbox': [int(x), int(y), 111, 97],
            'segmentation': [[int(x), int(y), int(x) + 111, int(y) + 3, int(x) + 50, int(y) + 97]],
            'keypoints': [int(x) + 50, int(y) + 31, 2],
        }
        for x, y in corners
    ]
    src, ann = annotated(tmp_path, rows, 320, 426)
    words = [src, tmp_path / 'dst', '--key', key, '--ann', ann, '--size', 'short:224', '--fit', 'crop', '--gap', '2']
    run('encrypt', *words, *QUICK)
    found = moved(tmp_path / 'dst')
    assert len(found) > 200
    for row in found:
        values = row['bbox'] + row['keypoints']
        assert all(isinstance(value, int) for value in values)
        outline = np.array(row['segmentation'][0]).reshape(-1, 2)
        own = (outline % 12 != 0).all(1)  # not where the border of a patch cuts the outline
        assert (outline[own] % 1 == 0).all()


def test_coordinates_have_the_digits_of_coco(tmp_path, key):
    """More would be the rounding of floats, which differs from column to column."""
    rows = [{'bbox': [0.1 + 7.03 * i, 3.07 + 5.01 * i, 60.13, 41.77]} for i in range(9)]
    src, ann = annotated(tmp_path, rows, 128, 128)
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--ann', ann, *QUICK)
    for row in moved(tmp_path / 'dst'):
        assert all(value == float(f'{value:.2f}') for value in row['bbox'])


def test_fragments_that_the_outline_misses_are_left_out(tmp_path, key, capsys):
    from mmdet.datasets import CocoDataset
    from mmengine.registry import init_default_scope

    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    disc = (64 + 60 * np.stack([np.cos(angle), np.sin(angle)], 1)).round(2)
    rows = [{'bbox': [4, 4, 120, 120], 'area': 11290, 'segmentation': [disc.ravel().tolist()]}]
    src, ann = annotated(tmp_path, rows, 128, 128)
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--ann', ann, '--patch-size', 8, *QUICK)
    assert 'left out: fragments of boxes that the outline does not reach:' in capsys.readouterr().out
    found = moved(tmp_path / 'dst')
    assert all(row['segmentation'] for row in found)
    x, y = disc.T
    whole = 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))
    assert sum(row['area'] for row in found) == pytest.approx(whole, abs=1)
    init_default_scope('mmdet')
    load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True, with_mask=True)]
    dataset = CocoDataset(
        data_root=str(tmp_path / 'dst'), ann_file='annotations/a.json', data_prefix=dict(img=''), pipeline=load,
        metainfo=dict(classes=('thing',)),
    )  # fmt: skip
    assert len(dataset[0]['gt_masks']) == len(found)


@pytest.mark.parametrize('orient', [[], ['--orient']])
def test_keypoints_on_a_border_of_patches_go_with_their_pixel(tmp_path, key, orient):
    rows = [
        {'bbox': [3, 3, 58, 58], 'keypoints': [x, y, 2], 'num_keypoints': 1}
        for x in (15, 16, 32, 48)
        for y in (16, 24, 32)
    ]
    src, ann = annotated(tmp_path, rows)
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--ann', ann, *orient, *QUICK)
    (plan,) = Settings(orient=bool(orient)).plans(read_key(str(key)), '0', (64, 64))
    for number, row in enumerate(rows, 1):
        (found,) = [a for a in moved(tmp_path / 'dst') if a['instance_id'] == number and a['num_keypoints']]
        dot = np.zeros((64, 64), np.uint8)
        dot[row['keypoints'][1], row['keypoints'][0]] = 1
        ((py, px),) = np.argwhere(plan.apply(dot))
        x, y, w, h = found['bbox']
        assert x <= px < x + w and y <= py < y + h


def test_decrypt_goes_on_after_a_name_that_cannot_be_written(tmp_path, key, capsys):
    long = 'n' * 245
    src = pictures(tmp_path / 'src', ['a.webp', 'a.png/b.png', f'{long}.png', 'z.png'])
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--format', 'webp', *QUICK)
    run('decrypt', tmp_path / 'dst', tmp_path / 'out', '--key', key, *QUICK, code=1)
    said = capsys.readouterr()
    assert "a.webp: it cannot be written as 'a.png': Is a directory" in said.err
    assert '3 images decrypted, 1 not' in said.out
    for name in ('a.png/b.png', f'{long}.png', 'z.png'):
        assert (np.array(Image.open(tmp_path / 'out' / name)) == np.array(Image.open(src / name))).all()
    assert not list((tmp_path / 'out').rglob('*.part'))


def test_decrypt_writes_into_no_other_copy(tmp_path, key, capsys):
    src = pictures(tmp_path / 'src', ['a.png'])
    for name in ('one', 'two'):
        run('encrypt', src, tmp_path / name, '--key', key, *QUICK)
    run('decrypt', tmp_path / 'one', tmp_path / 'two' / 'plain', '--key', key, *QUICK, code=2)
    assert 'which is handed over' in capsys.readouterr().err
    assert not (tmp_path / 'two' / 'plain').exists()


def test_a_key_or_a_source_within_a_copy_is_refused(tmp_path, key, capsys):
    src = pictures(tmp_path / 'src', ['c/a.png'])
    run('encrypt', src, tmp_path / 'dst', '--key', key, *QUICK)
    shutil.copy(key, tmp_path / 'dst' / 'k')
    (tmp_path / 'link').symlink_to(tmp_path / 'dst' / 'k')
    run('encrypt', src, tmp_path / 'other', '--key', tmp_path / 'link', '--rename', *QUICK, code=2)
    run('encrypt', tmp_path / 'dst' / 'c', tmp_path / 'other', '--key', key, *QUICK, code=2)
    assert 'which is handed over' in capsys.readouterr().err
    assert not (tmp_path / 'other').exists()


def test_verify_takes_the_picture_not_what_lies_beside_it(tmp_path, key):
    src = pictures(tmp_path / 'src', ['c/a.png', 'c/b.png'])
    (src / 'c' / 'a.json').write_text('{}')
    run('encrypt', src, tmp_path / 'dst', '--key', key, *QUICK, code=3)
    run('verify', tmp_path / 'dst', '--key', key, '--against', src, *QUICK)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(src / 'c' / 'a.png')
    run('verify', tmp_path / 'dst', '--key', key, '--against', src, *QUICK, code=1)


def test_resume_of_a_finished_copy_refuses_another_source(tmp_path, key, capsys):
    src = pictures(tmp_path / 'src', ['a.png', 'b.png'])
    run('encrypt', src, tmp_path / 'dst', '--key', key, *QUICK)
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--resume', *QUICK)
    pictures(src, ['c.png'])
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--resume', *QUICK, code=2)
    assert 'holds a finished copy of 2 other files than the 3' in capsys.readouterr().err


@pytest.mark.parametrize('words', [['encrypt', 'SRC', 'DST', '--resume', *QUICK], ['manifest', 'merge', 'DST']])
def test_what_a_kill_at_the_very_end_leaves_is_removed(tmp_path, key, words):
    src = pictures(tmp_path / 'src', ['a.png'])
    run('encrypt', src, tmp_path / 'dst', '--key', key, *QUICK)
    (tmp_path / 'dst' / WORK).mkdir()
    (tmp_path / 'dst' / WORK / 'part-00000-of-00001.lock').touch()
    run('verify', tmp_path / 'dst', '--key', key, *QUICK, code=1)
    run(*({'SRC': src, 'DST': tmp_path / 'dst'}.get(word, word) for word in words), '--key', key)
    run('verify', tmp_path / 'dst', '--key', key, *QUICK)


def test_a_refused_run_leaves_the_other_its_folder(tmp_path):
    with journal.opened(str(tmp_path / 'dst'), 0, 1):
        second = journal.opened(str(tmp_path / 'dst'), 0, 1)
        with pytest.raises(journal.Refused, match='another process is writing'), second:
            pass
        assert (tmp_path / 'dst' / WORK / 'part-00000-of-00001.lock').exists()
    assert not (tmp_path / 'dst').exists()


def test_a_tar_file_is_not_held_in_memory(tmp_path, key):
    src = pictures(tmp_path / 'src', [f'{i:02}.png' for i in range(24)], 512, 512)
    tracemalloc.start()
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--format', 'shards', *QUICK)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / 'dst' / 'shard-000000.tar').stat().st_size > 18e6
    assert peak < 9e6


def test_a_bad_file_name_in_the_json_is_told_to_nobody(tmp_path, key):
    src, ann = annotated(tmp_path, [])
    data = json.loads(ann.read_text())
    data['images'] += [dict(id=2, file_name='/home/alice/jane.png', width=9, height=9), dict(id=3, width=9, height=9)]
    ann.write_text(json.dumps(data))
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--ann', ann, *QUICK, code=3)
    text = (tmp_path / 'dst' / 'rejects.jsonl').read_text()
    assert 'alice' not in text
    assert [json.loads(line)['name'] for line in text.splitlines()] == [
        'annotations/a.json: images[1]',
        'annotations/a.json: images[2]',
    ]


def test_odd_json_values_are_left_out_not_a_crash(tmp_path, key):
    src, ann = annotated(tmp_path, [{'bbox': [0, 0, 5, 5]}, {'bbox': [0, 0, 10**400, 5]}])
    data = json.loads(ann.read_text())
    data['annotations'].append(dict(data['annotations'][0], image_id=[1]))
    folder = tmp_path / 'run=1'
    folder.mkdir()
    (folder / 'a.json').write_text(json.dumps(data))
    assert coco.split(str(folder / 'a.json')) == (str(folder / 'a.json'), '')
    assert coco.split(f'{folder / "a.json"}=img/') == (str(folder / 'a.json'), 'img')
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--ann', folder / 'a.json', '--strategy', 'mixup', *QUICK)
    (row,) = moved(tmp_path / 'dst')
    assert row['bbox'] == [0, 0, 2.5, 2.5]


@pytest.mark.parametrize('field, value', [('parameters', []), ('counts', []), ('counts', {})])
def test_a_damaged_head_is_a_message(tmp_path, key, field, value, capsys):
    src = pictures(tmp_path / 'src', ['a.png'])
    run('encrypt', src, tmp_path / 'dst', '--key', key, *QUICK)
    path = tmp_path / 'dst' / 'manifest.json'
    lines = path.read_text().splitlines(keepends=True)
    number = next(i for i, line in enumerate(lines) if line.startswith(f'"{field}"'))
    lines[number] = f'"{field}": {json.dumps(value)},\n'
    path.write_text(''.join(lines))
    run('verify', tmp_path / 'dst', '--key', key, *QUICK, code=1)
    assert 'manifest.json: ' in capsys.readouterr().out
    assert main(['decrypt', str(tmp_path / 'dst'), str(tmp_path / 'out'), '--key', str(key), *QUICK]) in (1, 2)
    assert not (tmp_path / 'out').exists()


def test_a_slurm_array_without_a_sound_first_number():
    given = dict(SLURM_ARRAY_TASK_ID='1', SLURM_ARRAY_TASK_COUNT='2', SLURM_ARRAY_TASK_MIN='x')
    with pytest.raises(UsageError, match='SLURM_ARRAY_TASK_ID=1 of SLURM_ARRAY_TASK_COUNT=2'):
        part_of(given)
    assert part_of({**given, 'RANK': '1', 'WORLD_SIZE': '2'}) == (1, 2)


def test_names_of_macos_and_a_manifest_that_is_a_link(tmp_path, key, capsys):
    src = pictures(tmp_path / 'src', ['shot 9.41\u202fPM.png', 'two\u00a0words.png'])
    run('encrypt', src, tmp_path / 'dst', '--key', key, *QUICK)
    os.rename(tmp_path / 'dst' / 'manifest.json', tmp_path / 'elsewhere.json')
    (tmp_path / 'dst' / 'manifest.json').symlink_to(tmp_path / 'elsewhere.json')
    run('verify', tmp_path / 'dst', '--key', key, *QUICK, code=1)
    assert 'manifest.json: no plain file' in capsys.readouterr().out
