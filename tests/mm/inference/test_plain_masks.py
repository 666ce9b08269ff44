"""Masks of a detector come back to the plain picture, as their boxes do."""

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from hii_mm import Scheme
from hii_mm.inference.detector import restore
from hii_mm.inference.pictures import Picture
from hii_mm.inference.steps import Prepared

SCHEMES = [
    Scheme(16),
    Scheme(16, window=2),
    Scheme(16, orient=True),
    Scheme(16, tone=True),
    Scheme(16, strategy='both'),
]


def discs():
    """Two masks, bool (2, 128, 96), whose edges lie on even pixels."""
    y, x = np.mgrid[:64, :48]
    small = np.stack([(y - 20) ** 2 + (x - 17) ** 2 < 150, (y - 40) ** 2 + (x - 30) ** 2 < 130])
    return small.repeat(2, 1).repeat(2, 2)


def predicted(masks, plan, picture, scale, ori_shape):
    """The sample that a detector which makes no mistake would give."""
    boxes = [[x.min(), y.min(), x.max() + 1, y.max() + 1] for y, x in map(np.nonzero, masks)]
    found = InstanceData(bboxes=torch.tensor(boxes, dtype=torch.float32), masks=torch.from_numpy(masks))
    found.scores, found.labels = torch.ones(len(masks)), torch.arange(len(masks))
    sample = DetDataSample(pred_instances=found)
    model_scale = (1.0, 1.0) if picture.encrypted else tuple(np.divide(scale, plan.mixup.parts if plan.mixup else 1))
    sample.set_metainfo(
        dict(prepared=Prepared(picture, plan, scale, {}), scale_factor=model_scale, ori_shape=ori_shape)
    )
    return sample


def joined(sample):
    """Per label, everything that its masks cover."""
    found = sample.pred_instances
    return np.stack([found.masks[found.labels == label].any(0).numpy() for label in (0, 1)])


@pytest.mark.parametrize('scheme', [*SCHEMES, Scheme(16, strategy='mixup')], ids=lambda scheme: scheme.label)
def test_masks_of_a_copy_come_back(scheme):
    plain = discs()
    plan = scheme.plan(plain.shape[1:], np.random.default_rng(0))
    encrypted = np.moveaxis(plan.apply_mask(np.moveaxis(plain, 0, -1).astype('u1')), -1, 0) > 0
    picture = Picture('a.png', np.zeros((*encrypted.shape[1:], 3), 'u1'), encrypted=True, plan=plan)
    sample = predicted(encrypted, plan, picture, (1.0, 1.0), encrypted.shape[1:])
    restore(sample)
    np.testing.assert_array_equal(joined(sample), shown(plain, sample))


@pytest.mark.parametrize('scheme', SCHEMES, ids=lambda scheme: scheme.label)
def test_masks_of_a_plain_picture_come_back_to_its_own_size(scheme):
    """A picture of 64 x 48 that the pipeline doubled: mmdet answers in 64 x 48, of the encrypted frame."""
    plain = discs()
    plan = scheme.plan(plain.shape[1:], np.random.default_rng(0))
    encrypted = np.moveaxis(plan.apply_mask(np.moveaxis(plain, 0, -1).astype('u1')), -1, 0) > 0
    answer = np.zeros((2, 64, 48), bool)
    step = 1 if plan.mixup else 2
    answer[:, : encrypted.shape[1] // step, : encrypted.shape[2] // step] = encrypted[:, ::step, ::step]
    sample = predicted(
        answer, plan, Picture('a.png', np.zeros((64, 48, 3), 'u1'), encrypted=False, plan=None), (2.0, 2.0), (64, 48)
    )
    restore(sample)
    np.testing.assert_array_equal(joined(sample), shown(plain[:, ::2, ::2], sample))


def shown(plain, sample):
    """The plain masks, less what lies outside of all boxes of their label: slivers that boxes leave out."""
    found, kept = sample.pred_instances, np.zeros_like(plain)
    for (x1, y1, x2, y2), label in zip(found.bboxes.numpy(), found.labels.tolist()):
        kept[label, int(np.floor(y1)) : int(np.ceil(y2)), int(np.floor(x1)) : int(np.ceil(x2))] = True
    assert (plain & kept).sum() > plain.sum() / 2
    return plain & kept
