"""``dry_run``: what ``encrypt`` would do, from the headers of the files."""

import json
import os

import numpy as np
import pytest
from PIL import Image

import hii_mm
from helpers.copies import write_image, write_images
from hii_mm import DryRun, Scheme
from hii_mm.errors import CopyError, UsageError
from hii_mm.handover.dryrun import SAMPLE, Remedy


def test_it_is_typed_silent_and_writes_nothing(src, tmp_path, capfd):
    before, steps = sorted(tmp_path.rglob('*')), []
    found = hii_mm.dry_run(src, scheme=Scheme(16), progress=lambda *step: steps.append(step[:2]))
    assert isinstance(found, DryRun)
    assert capfd.readouterr() == ('', '')
    assert sorted(tmp_path.rglob('*')) == before
    assert (found.images, found.rejects, found.remedies, found.lost, found.sample) == (24, [], [], 0.0, SAMPLE)
    assert (found.smallest, found.largest) == ((48, 64), (48, 64))
    assert found.source_bytes == sum(path.stat().st_size for path in src.rglob('*.png'))
    assert steps == [(i, 24) for i in range(25)]


@pytest.mark.parametrize(
    'scheme, options',
    [
        (Scheme(16, gap=2, drop_ratio=0.25), {}),
        (Scheme(16, gap=4), {'fit': 'crop'}),
        (Scheme(16), {'size': 32}),
        (Scheme(16), {'size': (64, 32), 'fit': 'pad'}),
        (Scheme(16, strategy='mixup'), {'fit': 'crop'}),
        (Scheme(16), {'fit': 'resize', 'format': 'webp'}),
        (Scheme(16), {'format': 'jpeg', 'rename': True}),
    ],
)
def test_it_agrees_with_the_run(tmp_path, key, scheme, options):
    src = write_images(tmp_path / 'src', [f'a/{n}.png' for n in range(4)], (48, 64, 3))
    write_images(src / 'b', ['1.png', '2.png'], (70, 50, 3))
    write_images(src / 'b', ['small.png'], (10, 50, 3))
    write_image(src / 'deep.png', (48, 64), dtype=np.uint16)
    write_image(src / 'clear.png', (48, 64, 4))
    (src / 'text.png').write_text('no image')
    (src / 'empty.png').touch()
    (src / 'notes.txt').write_text('notes')
    os.mkfifo(src / 'pipe.png')
    found = hii_mm.dry_run(src, scheme=scheme, **options)
    names = {'name_map': tmp_path / 'names'} if 'rename' in options else {}
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=scheme, **options, **names)
    assert found.images == outcome.images
    assert sorted(found.rejects) == sorted(outcome.rejects)
    for option, value, more in found.remedies:
        given = {**options, option: value}
        names = {'name_map': tmp_path / 'names'} if given.get('rename') else {}
        again = hii_mm.encrypt(src, tmp_path / f'{option}-{value}', key=key, scheme=scheme, **given, **names)
        assert sum(problem.name not in {name for name, _ in again.rejects} for problem in outcome.rejects) == more
    written = sum(row.bytes for row in hii_mm.Manifest(tmp_path / 'dst').rows())
    assert found.copy_bytes == pytest.approx(written, rel=0.5)


@pytest.mark.parametrize(
    'scheme, options, kept',
    [
        (Scheme(16), {}, 1),
        (Scheme(16), {'fit': 'crop'}, 48 * 64 / (60 * 70)),
        (Scheme(16, gap=4), {'fit': 'crop'}, 48 * 64 / (60 * 70) / 4),
        (Scheme(16, gap=4), {'fit': 'pad'}, 1 / 4),
        (Scheme(16, strategy='mixup'), {'fit': 'pad'}, 1 / 4),
        (Scheme(16), {'fit': 'resize'}, 1 - 0),
        (Scheme(16), {'size': (32, 32)}, 32 * 32 / (60 * 70)),
    ],
)
def test_the_share_of_pixels_that_are_lost(tmp_path, scheme, options, kept):
    side = (64, 64, 3) if not options else (60, 70, 3)
    found = hii_mm.dry_run(write_images(tmp_path / 'src', ['a.png'], side), scheme=scheme, **options)
    assert found.lost == pytest.approx(1 - kept, abs=0.05 if options.get('fit') == 'resize' else 0.01)


def test_the_remedy_of_each_kind_is_counted(tmp_path):
    src = write_images(tmp_path / 'src', ['a.png', 'b.png', 'c.png'], (50, 64, 3))
    write_image(src / 'new\nline.png', (48, 64, 3))
    write_image(src / 'deep.png', (48, 64), dtype=np.uint16)
    found = hii_mm.dry_run(src, scheme=Scheme(16), format='webp')
    assert len(found.rejects) == 5
    assert found.remedies == [
        Remedy('fit', 'crop', 3), Remedy('fit', 'resize', 3), Remedy('fit', 'pad', 3),
        Remedy('format', 'png', 1), Remedy('rename', True, 1),
    ]  # fmt: skip


def test_damage_is_found_in_the_sample(tmp_path):
    src = write_images(tmp_path / 'src', ['a.png', 'b.png'], (64, 64, 3))
    data = (src / 'b.png').read_bytes()
    (src / 'b.png').write_bytes(data[: len(data) // 2])
    found = hii_mm.dry_run(src, scheme=Scheme(16))
    assert (found.images, found.sample, [name for name, _ in found.rejects]) == (1, 1, ['b.png'])


def test_a_picture_that_is_turned_has_its_upright_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / 'src').mkdir()
    for name in ('a.jpg', 'a2.png', 'a3.webp', 'a4.tiff'):
        Image.new('RGB', (96, 64)).save(tmp_path / 'src' / name, exif=exif)
    found = hii_mm.dry_run(tmp_path / 'src', scheme=Scheme((32, 64)))
    assert (found.images, found.smallest, found.rejects) == (4, (96, 64), [])


def test_images_of_a_coco_file(tmp_path):
    src = write_images(tmp_path / 'src', ['a.png', 'b.png', 'c.png'], (64, 64, 3))
    images = [
        {'id': 1, 'file_name': 'a.png', 'height': 64, 'width': 64},
        {'id': 2, 'file_name': 'b.png', 'height': 64, 'width': 32},
    ]
    (tmp_path / 'a.json').write_text(json.dumps({'images': images, 'annotations': [], 'categories': []}))
    found = hii_mm.dry_run(src, scheme=Scheme(16), annotations=[tmp_path / 'a.json'])
    assert found.images == 1
    ((name, reason),) = found.rejects
    assert name == 'b.png' and '32 x 64 pixels' in reason


def test_nothing_but_rejects(tmp_path):
    src = write_images(tmp_path / 'src', ['a.png'], (50, 64, 3))
    found = hii_mm.dry_run(src, scheme=Scheme(16))
    assert (found.images, len(found.rejects), found.smallest, found.seconds, found.copy_bytes) == (0, 1, None, 0.0, 0)


def test_what_it_refuses(tmp_path, src):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(CopyError, match='contains no file'):
        hii_mm.dry_run(tmp_path / 'empty', scheme=Scheme(16))
    with pytest.raises(UsageError, match='is not a folder'):
        hii_mm.dry_run(tmp_path / 'none', scheme=Scheme(16))
    with pytest.raises(UsageError, match='the nearest is 64x64'):
        hii_mm.dry_run(src, scheme=Scheme(16), size=(60, 60))
