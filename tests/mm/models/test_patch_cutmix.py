"""PatchCutMix: whole patches change hands, and labels follow exactly."""

import numpy as np
import pytest
import torch
from mmpretrain.models.utils.batch_augments import RandomBatchAugment
from mmpretrain.registry import BATCH_AUGMENTS

from hii_mm.models import PatchCutMix


@pytest.mark.parametrize('patch_size, size', [(4, (16, 24)), ((2, 6), (8, 12))])
def test_each_patch_comes_from_one_image_and_labels_from_the_share(patch_size, size):
    ph, pw = (patch_size, patch_size) if isinstance(patch_size, int) else patch_size
    images = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 3, *size).clone()  # image i is filled with i
    shares = set()
    for _ in range(30):
        before = images.clone()
        mixed, scores = PatchCutMix(alpha=1.0, patch_size=patch_size)(images, torch.eye(5))
        assert torch.equal(images, before)
        patches = mixed.unfold(2, ph, ph).unfold(3, pw, pw)  # (B, C, rows, cols, ph, pw)
        assert (patches == patches[..., :1, :1]).all()
        for i in range(5):
            of_patch = patches[i, 0, :, :, 0, 0].flatten().long()
            share = torch.bincount(of_patch, minlength=5) / len(of_patch)
            torch.testing.assert_close(scores[i], share)
            shares.add(round(share[i].item(), 4))
    assert len(shares) > 5


def test_it_is_a_batch_augment_of_mmpretrain():
    for name in ('PatchCutMix', 'hii_mm.PatchCutMix'):
        augment = RandomBatchAugment([dict(type=name, alpha=1.0, patch_size=8)], probs=[1.0])
        mixed, scores = augment(torch.randn(4, 3, 32, 32), torch.eye(4))
        assert mixed.shape == (4, 3, 32, 32)
        torch.testing.assert_close(scores.sum(1), torch.ones(4))
        assert BATCH_AUGMENTS.get(name) is PatchCutMix


def test_seeds_repeat_it():
    images, labels, drawn = torch.randn(4, 3, 32, 32), torch.eye(4), []
    for seed in (1, 2, 1):
        np.random.seed(seed)
        torch.manual_seed(seed)
        drawn.append(PatchCutMix(alpha=1.0, patch_size=8)(images, labels)[0])
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize('patch_size', [0, -4, 2.5, (4,), (4, 0), 'four'])
def test_patch_sizes_that_are_not_accepted(patch_size):
    with pytest.raises((TypeError, ValueError), match='patch_size.*must be .*, got'):
        PatchCutMix(alpha=1.0, patch_size=patch_size)


def test_images_that_are_not_whole_patches():
    with pytest.raises(ValueError, match='image size 32 x 30 .* is not a multiple of patch_size 16 x 16'):
        PatchCutMix(alpha=1.0, patch_size=16)(torch.randn(2, 3, 32, 30), torch.eye(2))
