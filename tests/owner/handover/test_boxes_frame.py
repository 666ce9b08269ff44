"""Annotations of images with an EXIF orientation: in the frame of the upright image, or of the pixels as stored."""

import json

import numpy as np
import pytest
from PIL import Image

import hii_mm
from helpers.copies import annotations, pixels
from hii_mm import Scheme
from hii_mm.errors import InvalidValueError, RefusedError
from hii_mm.handover import rle

ORIENTATION = 0x0112
TURNS = {  # of Pillow, from the pixels as stored to the upright image
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
X, Y, W, H = 5, 11, 23, 14  # a box in the stored pixels
KEYPOINT = 9, 17


def write_turned(folder, orientation, raw_hw=(64, 96), entry_hw=None, kind='polygon'):
    """Write an image with an orientation and its COCO file in the frame of the stored pixels; returns (SRC, json)."""
    (folder / 'src').mkdir(parents=True)
    h, w = raw_hw
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    noise = np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / 'src' / '0.png', exif=exif)
    height, width = entry_hw or raw_hw
    image = dict(id=1, file_name='0.png', height=height, width=width)
    mask = np.zeros(raw_hw, np.uint8)
    mask[Y : Y + H, X : X + W] = 1
    outline = [[X, Y, X + W, Y, X + W, Y + H, X, Y + H]]
    row = dict(id=1, image_id=1, category_id=1, bbox=[X, Y, W, H], keypoints=[*KEYPOINT, 2])
    row['segmentation'] = outline if kind == 'polygon' else rle.encode(mask)
    (folder / 'a.json').write_text(json.dumps(dict(images=[image], annotations=[row], categories=[])))
    return folder / 'src', folder / 'a.json'


def upright(mask, orientation):
    """Turn a mask as a viewer turns the image."""
    return np.array(Image.fromarray(mask).transpose(TURNS[orientation]))


@pytest.mark.parametrize('kind', ['polygon', 'rle'])
@pytest.mark.parametrize('orientation', TURNS)
@pytest.mark.parametrize('raw_hw', [(64, 96), (64, 64)])
def test_everything_moves_from_the_stored_pixels_to_the_upright_image(tmp_path, key, orientation, kind, raw_hw):
    src, ann = write_turned(tmp_path, orientation, raw_hw, kind=kind)
    scheme = Scheme(16, gap=2, orient=True)
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=scheme, annotations=[ann], boxes_frame='raw')
    assert outcome.rejects == []
    dataset_id = hii_mm.Manifest(tmp_path / 'dst').dataset_id
    mask, dot = np.zeros((2, *raw_hw), np.uint8)
    mask[Y : Y + H, X : X + W] = dot[KEYPOINT[1], KEYPOINT[0]] = 1
    mask, dot = upright(mask, orientation), upright(dot, orientation)
    plan = scheme.plan(mask.shape, key=hii_mm.read_key(key), image_id='0', dataset_id=dataset_id)
    truth = plan.apply(mask)
    assert pixels(tmp_path / 'dst' / '0.png').shape[:2] == truth.shape
    boxes, areas = np.zeros_like(truth), 0
    for row in annotations(tmp_path / 'dst'):
        x, y, w, h = map(round, row['bbox'])
        boxes[y : y + h, x : x + w] += 1
        areas += row['area']
        if row['num_keypoints']:
            px, py = np.argwhere(plan.apply(dot))[0][::-1]
            assert x <= px < x + w
            assert y <= py < y + h
    assert (boxes == truth).all()
    assert areas == truth.sum()
    (image,) = json.loads((tmp_path / 'dst' / 'annotations' / 'a.json').read_text())['images']
    assert (image['height'], image['width']) == truth.shape


@pytest.mark.parametrize('orientation', TURNS)
def test_keypoints_name_the_same_pixel(tmp_path, key, orientation):
    src, ann = write_turned(tmp_path, orientation)
    scheme = Scheme(16, strategy='mixup')
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=scheme, annotations=[ann], boxes_frame='raw')
    dot = np.zeros((64, 96), np.uint8)
    dot[KEYPOINT[1], KEYPOINT[0]] = 1
    ((y, x),) = np.argwhere(upright(dot, orientation))
    (row,) = annotations(tmp_path / 'dst')
    assert row['keypoints'] == [x / 2, y / 2, 2]


@pytest.mark.parametrize('orientation, raw_hw', [(3, (64, 96)), (6, (64, 64))])
def test_the_frame_that_sizes_do_not_tell_is_noted(tmp_path, key, orientation, raw_hw):
    src, ann = write_turned(tmp_path, orientation, raw_hw)
    for frame, other, words in (('upright', 'raw', 'the upright image'), ('raw', 'upright', 'the pixels as stored')):
        outcome = hii_mm.encrypt(
            src, tmp_path / frame, key=key, scheme=Scheme(16), annotations=[ann], boxes_frame=frame
        )
        assert outcome.notes == [
            f'1 image with annotations and an EXIF orientation: boxes were read as of {words}; '
            f'if they are not, use --boxes-frame {other}'
        ]
        assert hii_mm.Manifest(tmp_path / frame).settings.boxes_frame == frame
    assert (
        tmp_path.joinpath('raw', 'annotations', 'a.json').read_text()
        != (tmp_path / 'upright' / 'annotations' / 'a.json').read_text()
    )


def test_upright_images_are_not_noted(tmp_path, key):
    for orientation in (1, 0, 9):
        src, ann = write_turned(tmp_path / str(orientation), orientation)
        for frame in ('upright', 'raw'):
            dst = tmp_path / f'{orientation}{frame}'
            outcome = hii_mm.encrypt(src, dst, key=key, scheme=Scheme(16), annotations=[ann], boxes_frame=frame)
            assert (outcome.images, outcome.notes) == (1, [])


def test_parts_are_noted_together(tmp_path, key):
    src, ann = write_turned(tmp_path, 3)
    for index in range(2):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann], part=(index, 2))
    (note,) = hii_mm.merge(tmp_path / 'dst', key=key).notes
    assert note.startswith('1 image with annotations and an EXIF orientation')


@pytest.mark.parametrize(
    'frame, entry_hw, message',
    [
        (
            'upright',
            (64, 96),
            'says 96 x 64 pixels, but the upright image has 64 x 96; its EXIF orientation is 6: use ',
        ),
        ('raw', (96, 64), 'says 64 x 96 pixels, but the raw image has 96 x 64; its EXIF orientation is 6: use '),
        ('upright', (50, 50), 'says 50 x 50 pixels, but the upright image has 64 x 96'),
    ],
)
def test_sizes_that_disagree_name_the_remedy(tmp_path, key, frame, entry_hw, message):
    src, ann = write_turned(tmp_path, 6, entry_hw=entry_hw)
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann], boxes_frame=frame)
    ((_, reason),) = outcome.rejects
    assert message in reason
    other = 'raw' if frame == 'upright' else 'upright'
    assert (f'use --boxes-frame {other}' in reason) == (entry_hw != (50, 50))


def test_another_frame_is_another_run(tmp_path, key):
    src, ann = write_turned(tmp_path, 3)
    with pytest.raises(InvalidValueError, match="boxes_frame must be one of 'upright', 'raw', got 'plain'"):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann], boxes_frame='plain')
    assert not (tmp_path / 'dst').exists()
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann], part=(0, 2))
    with pytest.raises(RefusedError, match="parameters.boxes_frame = 'upright', but now it is 'raw'"):
        hii_mm.encrypt(
            src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann], part=(1, 2), boxes_frame='raw'
        )
