"""Whether a model depends on the order of patches is measured; models of which it is known are the controls."""

from functools import partial

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from hii_mm.encryption import Scheme
from hii_mm.models.order import TOLERANCE, _as_moved, order_of

TINY = dict(arch=dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48), img_size=32, patch_size=8)


def classifier(backbone, dims=24, head='VisionTransformerClsHead', **neck):
    init_default_scope('mmpretrain')
    head = dict(type=head, num_classes=5, in_channels=dims)
    return MODELS.build(dict(type='ImageClassifier', backbone=dict(backbone), head=head, **neck))


POOLED = dict(head='LinearClsHead', neck=dict(type='GlobalAveragePooling'))
NO_POSITIONS = dict(use_abs_pos_emb=False, use_rel_pos_bias=False)
FREE = {
    'PEViT': partial(classifier, dict(TINY, type='PEViT')),
    'PEViT with reference encoding': partial(classifier, dict(TINY, type='PEViT', reference_encoding=True)),
    'BEiT without positions': partial(classifier, dict(TINY, type='BEiTViT', **NO_POSITIONS), head='LinearClsHead'),
    'a bag of patches': lambda: nn.Sequential(
        nn.Conv2d(3, 24, 8, 8), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 5)
    ),
    'a head on each patch': lambda: nn.Sequential(nn.Conv2d(3, 24, 8, 8), nn.GELU(), nn.Conv2d(24, 5, 1)),
    'four cells a patch': lambda: nn.Conv2d(3, 5, 4, 4),
    'tokens, the last two of them others': lambda: Tokens(),
}
BOUND = {
    'a ViT with a table of zeros': partial(classifier, dict(TINY, type='VisionTransformer')),
    'BEiT': partial(
        classifier, dict(TINY, type='BEiTViT', use_rel_pos_bias=True, use_abs_pos_emb=False), head='LinearClsHead'
    ),
    'ResNet': partial(classifier, dict(type='ResNet', depth=18, base_channels=8), 64, **POOLED),
    'a convolution across patches': lambda: nn.Conv2d(3, 5, 3, padding=1),
    'a scan along the patches': lambda: nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.Flatten(2), nn.Linear(16, 4)),
}


class Tokens(nn.Module):
    """Attention over patches and two tokens behind them."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 24, 8, 8)
        self.tokens = nn.Parameter(torch.zeros(1, 2, 24))
        self.layer = nn.TransformerEncoderLayer(24, 2, 48, batch_first=True)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        return self.layer(torch.cat([x, self.tokens.expand(len(x), -1, -1)], 1))


@pytest.mark.parametrize('kind', FREE)
def test_models_that_do_not_depend_on_it(kind):
    measured = order_of(FREE[kind](), (8, 8))
    assert not measured.matters
    assert measured.change < TOLERANCE / 10


@pytest.mark.parametrize('kind', BOUND)
def test_models_that_depend_on_it(kind):
    measured = order_of(BOUND[kind](), (8, 8))
    assert measured.matters
    assert measured.change > 10 * TOLERANCE


def test_small_tables_are_seen():
    """BEiT's tables start at 0.02, and the more patches there are, the less they change."""
    backbone = dict(TINY, type='BEiTViT', img_size=128, use_rel_pos_bias=True, use_abs_pos_emb=False)
    model = classifier(backbone, head='LinearClsHead')
    model.init_weights()
    for name, value in model.named_parameters():
        if 'relative_position' in name:
            torch.nn.init.normal_(value, std=1e-6)
    assert order_of(model, (8, 8)).matters


def test_patches_of_another_size_are_another_matter():
    assert order_of(FREE['PEViT'](), (4, 4)).matters
    assert not order_of(FREE['PEViT'](), (8, 16)).matters
    assert not order_of(FREE['PEViT'](), (8, 8), seed=7).matters


def test_within_windows():
    """A model that averages over windows of 2 x 2 patches depends on the order of all, not of those in a window."""
    model = nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.GELU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 5))
    assert order_of(model, (8, 8)).matters
    assert not order_of(model, (8, 8), window=2).matters


def test_what_is_measured_stays_as_it_was():
    model = BOUND['a ViT with a table of zeros']().train()
    model.backbone.ln1.eval()
    modes = {name: part.training for name, part in model.named_modules()}
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    order_of(model, (8, 8))
    assert {name: part.training for name, part in model.named_modules()} == modes
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert not model.backbone.pos_embed.any()
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_a_failure_in_the_middle_leaves_the_model_alone():
    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.ones(3))

        def forward(self, x):
            raise RuntimeError('no')

    model = Failing()
    assert order_of(model, (8, 8)) is None
    assert (model.table == 1).all() and model.training


def test_a_model_that_sees_nothing_is_not_judged():
    class Blind(nn.Module):
        def forward(self, x):
            return x.new_ones(len(x), 5)

    assert order_of(Blind(), (8, 8)) is None
    assert order_of(nn.Sequential(nn.Flatten(), nn.LazyLinear(5)), (8, 8)) is None


def test_a_map_moves_like_the_picture():
    """An oracle: a map with a cell for each pixel is the picture itself."""
    rng = np.random.default_rng(0)
    image = rng.random((32, 48, 3)).astype(np.float32)
    plan = Scheme(8).plan(image.shape, rng)
    for side in (1, 2, 4):
        small, moved = image[::side, ::side], plan.apply(image)[::side, ::side]
        found = list(_as_moved(torch.from_numpy(small.transpose(2, 0, 1).copy()), plan))
        assert np.array_equal(found[1].numpy().transpose(1, 2, 0), moved)
