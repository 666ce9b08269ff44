"""Boxes, masks and segmentation maps through PatchShuffle and PatchMixup in mmdet's pipelines."""

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope, init_default_scope

from hii_mm.transforms import PatchMixup, PatchShuffle

BOXES = np.array([[3, 5, 30, 20], [16, 32, 48, 64], [40, 0, 64, 10]], np.float32)


@pytest.fixture
def in_mmdet():
    init_default_scope('mmdet')
    yield
    DefaultScope._instance_dict.clear()


def rectangle(box):
    x1, y1, x2, y2 = map(int, box)
    mask = np.zeros((64, 64), np.uint8)
    mask[y1:y2, x1:x2] = 1
    return mask


def scene(photo, boxes=BOXES, masks='bitmap', kind=np.asarray):
    """Results of a 64 x 64 image with boxes, masks and a seg map of the same rectangles."""
    bits = np.array([rectangle(box) for box in boxes], np.uint8).reshape(-1, 64, 64)
    polygons = [[np.array([x1, y1, x2, y1, x2, y2, x1, y2])] for x1, y1, x2, y2 in boxes]
    return dict(
        img=photo[:64, :64].copy(),
        img_id=7,
        img_path='a.png',
        ori_shape=(64, 64),
        img_shape=(64, 64),
        gt_bboxes=kind(boxes),
        gt_bboxes_labels=np.arange(len(boxes)) + 10,
        gt_ignore_flags=np.arange(len(boxes)) == 1,
        gt_masks=BitmapMasks(bits, 64, 64) if masks == 'bitmap' else PolygonMasks(polygons, 64, 64),
        gt_seg_map=bits.max(0, initial=0) * 5,
    )


def plain_boxes(boxes):
    return boxes if isinstance(boxes, np.ndarray) else boxes.numpy()


@pytest.mark.parametrize('kind', [np.asarray, HorizontalBoxes])
@pytest.mark.parametrize('masks', ['bitmap', 'polygon'])
@pytest.mark.parametrize('mode', ['fragment', 'enclose', 'keep'])
@pytest.mark.parametrize('given', [{}, dict(gap=2, drop_ratio=0.25, orient=True)])
def test_everything_moves_with_the_pixels(photo, kind, masks, mode, given):
    results = scene(photo, masks=masks, kind=kind)
    marked = results['img'].copy()
    for i, bits in enumerate(results['gt_masks'].to_ndarray()):
        marked[bits > 0] = (201 + i, 0, 255)  # a colour for each object; the boxes do not overlap
    results['img'] = marked
    out = PatchShuffle(16, bbox_mode=mode, **given)(results)
    boxes, bits = plain_boxes(out['gt_bboxes']), out['gt_masks'].to_ndarray()
    assert type(out['gt_bboxes']) is type(kind(BOXES))
    seen = (out['img'][..., 1:] == (0, 255)).all(-1)
    np.testing.assert_array_equal(out['gt_seg_map'], 5 * seen)
    if mode == 'keep':
        assert 'gt_instance_ids' not in out
        np.testing.assert_array_equal(boxes, BOXES)
        ids = np.arange(3)
    else:
        ids = out['gt_instance_ids']
        assert ids.dtype == np.int64
        np.testing.assert_array_equal(out['gt_bboxes_labels'], ids + 10)
        np.testing.assert_array_equal(out['gt_ignore_flags'], ids == 1)
    assert len(boxes) == len(bits) == len(ids)
    for i in range(3):
        mine = bits[ids == i]
        of_object = seen & (out['img'][..., 0] == 201 + i)
        np.testing.assert_array_equal(mine.sum(0) if len(mine) else 0 * of_object, of_object)
        if mode == 'fragment':
            covered = np.zeros_like(of_object)
            for x1, y1, x2, y2 in boxes[ids == i].astype(int):
                covered[y1:y2, x1:x2] = True
            np.testing.assert_array_equal(covered, of_object)
        elif mode == 'enclose' and of_object.any():
            ys, xs = np.nonzero(of_object)
            assert boxes[ids == i].tolist() == [[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]]


@pytest.mark.parametrize('transform', [PatchShuffle(16), PatchShuffle(16, bbox_mode='enclose'), PatchMixup(16)])
@pytest.mark.parametrize('kind', [np.asarray, HorizontalBoxes])
def test_no_objects(photo, transform, kind):
    out = transform(scene(photo, np.empty((0, 4), np.float32), kind=kind))
    assert plain_boxes(out['gt_bboxes']).shape == (0, 4)
    assert out['gt_bboxes_labels'].shape == (0,)
    assert out['gt_masks'].to_ndarray().shape == (0, *out['img_shape'])


def test_a_wrong_mode():
    with pytest.raises(ValueError, match="bbox_mode must be one of 'fragment', 'enclose', 'keep', got 'cut'"):
        PatchShuffle(16, bbox_mode='cut')


@pytest.mark.parametrize('kind', [np.asarray, HorizontalBoxes])
@pytest.mark.parametrize('masks', ['bitmap', 'polygon'])
@pytest.mark.parametrize('grid', [2, 4])
def test_mixing_shrinks_everything(photo, kind, masks, grid):
    out = PatchMixup(16, grid)(scene(photo, masks=masks, kind=kind))
    side = 64 // grid
    assert out['img'].shape == (side, side, 3)
    assert out['img_shape'] == (side, side)
    assert out['scale_factor'] == (1 / grid, 1 / grid)
    assert out['gt_seg_map'].shape == (side, side)
    np.testing.assert_allclose(plain_boxes(out['gt_bboxes']), BOXES / grid)
    bits = out['gt_masks'].to_ndarray()
    for mask, box in zip(bits, BOXES / grid):
        assert abs(int(mask.sum()) - (box[2] - box[0]) * (box[3] - box[1])) <= 2 * 64 / grid  # a border's worth
    np.testing.assert_array_equal(out['gt_bboxes_labels'], [10, 11, 12])


@pytest.mark.parametrize('size', [(50, 60), (64, 64), (49, 64)])
def test_boxes_stay_true_when_padded(photo, size):
    h, w = size
    results = scene(photo, np.array([[8, 8, 40, 48]], np.float32))
    results.update(img=photo[:h, :w].copy(), pad_shape=size, img_shape=size)
    results.update(gt_masks=results['gt_masks'].crop(np.array([0, 0, w, h])), gt_seg_map=results['gt_seg_map'][:h, :w])
    out = PatchMixup(16, 2, remainder='pad')(results)
    assert out['img_shape'] == out['pad_shape'] == out['gt_seg_map'].shape == (-(-h // 16) * 8, -(-w // 16) * 8)
    assert out['gt_bboxes'].tolist() == [[4, 4, 20, 24]]
    ys, xs = np.nonzero(out['gt_masks'].to_ndarray()[0])
    assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (4, 4, 20, 24)
    assert (out['gt_seg_map'][4:24, 4:20] == 5).all()


def test_boxes_are_cut_off_when_cropped(photo):
    results = scene(photo)
    results.update(img=photo[:64, :60].copy(), gt_seg_map=results['gt_seg_map'][:, :60])
    results['gt_masks'] = results['gt_masks'].crop(np.array([0, 0, 60, 64]))
    out = PatchMixup(16, 2, remainder='crop')(results)
    assert out['img'].shape == (32, 24, 3)
    assert out['gt_bboxes'].tolist() == np.clip(BOXES / 2, 0, [24, 32, 24, 32]).tolist()
    assert out['gt_masks'].to_ndarray().shape == (3, 32, 24)


@pytest.mark.parametrize('box', [[np.nan] * 4, [30, 10, 20, 40]])
def test_strange_boxes_pass_as_they_do_in_mmdet(photo, box):
    boxes = np.array([box, [0, 0, 8, 8]], np.float32)
    results = dict(img=photo[:64, :64].copy(), gt_bboxes=boxes, gt_bboxes_labels=np.array([0, 1]))
    np.testing.assert_array_equal(PatchMixup(16)(dict(results))['gt_bboxes'], boxes / 2)
    out = PatchShuffle(16)(dict(results))
    assert out['gt_bboxes_labels'].tolist() == [1]


RESIZE, MIX = dict(type='Resize', scale=(96, 96), keep_ratio=True), dict(type='PatchMixup', patch_size=16)


@pytest.mark.parametrize('resize, mixing', [([RESIZE], []), ([], [MIX]), ([RESIZE], [MIX])])
def test_mmdets_rescaling_undoes_it(in_mmdet, photo, resize, mixing):
    """What mmdet does to predictions brings the boxes back to the original frame."""
    pack = dict(type='PackDetInputs', meta_keys=('img_id', 'ori_shape', 'img_shape', 'scale_factor'))
    flip = dict(type='RandomFlip', prob=0.0)
    packed = Compose([*resize, flip, *mixing, pack])(scene(photo, kind=HorizontalBoxes))
    sample = packed['data_samples']
    assert packed['inputs'].shape[-2:] == sample.img_shape
    boxes = sample.gt_instances.bboxes.tensor / torch.tensor(sample.scale_factor).repeat(2)
    np.testing.assert_allclose(boxes.numpy(), BOXES[[0, 2]], atol=1e-4)  # the other one is to be ignored
    if resize and mixing:
        assert sample.scale_factor == (0.75, 0.75)
        assert sample.img_shape == (48, 48)


def test_shuffling_what_was_mixed(photo):
    out = PatchShuffle(8)(PatchMixup(16, 2)(scene(photo)))
    assert out['img'].shape == (32, 32, 3)
    assert len(out['gt_instance_ids']) >= 3
