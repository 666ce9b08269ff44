"""PEViT: what shuffling does not change, and what a backbone must do."""

import copy
from importlib import import_module

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.models import VisionTransformer

from hii_mm.encryption import Scheme
from hii_mm.models import PEViT

TINY = dict(embed_dims=32, num_layers=3, num_heads=2, feedforward_channels=64)


def tiny(**kwargs):
    model = PEViT(arch=TINY, img_size=32, patch_size=8, **kwargs)
    model.init_weights()
    return model


def evaluated(model):
    model.eval()  # mmpretrain's backbones return None here
    return model


def shuffle(images, patch_size, seed=0):
    """A batch with each image shuffled on its own, and the permutations."""
    rng, out, moves = np.random.default_rng(seed), [], []
    for image in images.permute(0, 2, 3, 1).numpy():
        plan = Scheme(patch_size).plan(image.shape, rng)
        out.append(plan.apply(np.ascontiguousarray(image)))
        moves.append(plan.shuffle.permutation)
    return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2), moves


@pytest.mark.parametrize('reference_encoding', [False, True])
@pytest.mark.parametrize('size', [(224, 224), (160, 256)])
def test_shuffling_moves_no_logit_of_the_real_size(size, reference_encoding):
    init_default_scope('mmpretrain')
    backbone = dict(type='PEViT', arch='deit-tiny', patch_size=16, reference_encoding=reference_encoding)
    head = dict(type='VisionTransformerClsHead', num_classes=1000, in_channels=192)
    model = MODELS.build(dict(type='mmpretrain.ImageClassifier', backbone=backbone, head=head)).eval()
    model.init_weights()
    torch.nn.init.normal_(model.head.layers.head.weight)  # the host starts with zeros
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        plain = model(images, mode='tensor')
        for seed in range(3):
            moved = model(shuffle(images, 16, seed)[0], mode='tensor')
            assert (moved - plain).abs().max() < 1e-4
        other = model(images.flip(-1), mode='tensor')
    assert (other - plain).abs().max() > 1e-2  # the test can fail: another image has other logits


@pytest.mark.parametrize('out_type', ['cls_token', 'avg_featmap', 'raw', 'featmap'])
def test_each_output_moves_with_its_patches(out_type):
    model = evaluated(tiny(out_type=out_type, out_indices=[0, 2]))
    images = torch.randn(2, 3, 32, 40)
    shuffled, moves = shuffle(images, 8)
    with torch.no_grad():
        plain, moved = model(images), model(shuffled)
    assert len(plain) == 2
    for before, after in zip(plain, moved):
        if out_type == 'featmap':
            assert before.shape == (2, 32, 4, 5)
            before = torch.stack([b.flatten(1)[:, m].reshape(32, 4, 5) for b, m in zip(before, moves)])
        elif out_type == 'raw':
            assert before.shape == (2, 21, 32)
            before = torch.stack([b[np.concatenate([[0], m + 1])] for b, m in zip(before, moves)])
        else:
            assert before.shape == (2, 32)
        torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


def test_it_is_mmpretrains_vit_with_a_position_embedding_of_zeros():
    plain = evaluated(VisionTransformer(arch=TINY, img_size=32, patch_size=8))
    ours = evaluated(tiny())
    state = {key: value for key, value in plain.state_dict().items() if key != 'pos_embed'}
    ours.load_state_dict(state)
    assert plain.pos_embed.abs().max() == 0
    images = torch.randn(2, 3, 48, 32)
    torch.testing.assert_close(ours(images)[0], plain(images)[0])


def test_the_reference_encoding_is_the_papers_formula():
    model = tiny(reference_encoding=True)
    x = torch.randn(2, 5, 32)
    first, _, second = model.ref_encoding
    hidden = torch.clamp((x - model.reference) @ first.weight.T + first.bias, min=0)
    expected = x + 1 / (1 + torch.exp(-(hidden @ second.weight.T + second.bias)))
    torch.testing.assert_close(model.encode(x), expected)
    assert model.reference.shape == (1, 1, 32)
    assert 0.005 < model.reference.std() < 0.04


def test_the_class_token_gets_no_reference():
    model = evaluated(tiny(reference_encoding=True))
    seen = []
    model.encode = lambda x: seen.append(x.shape) or x
    model(torch.randn(1, 3, 32, 32))
    assert seen == [(1, 16, 32)]


@pytest.mark.parametrize('reference_encoding', [False, True])
@pytest.mark.parametrize('out_type', ['cls_token', 'avg_featmap', 'raw', 'featmap'])
def test_every_parameter_gets_a_gradient(reference_encoding, out_type):
    model = tiny(reference_encoding=reference_encoding, out_type=out_type)
    (model(torch.randn(2, 3, 32, 32))[0] * torch.randn(1)).pow(3).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_without_class_token():
    model = tiny(with_cls_token=False, out_type='avg_featmap')
    assert 'cls_token' not in model.state_dict()
    assert model(torch.randn(2, 3, 32, 32))[0].shape == (2, 32)
    with pytest.raises(ValueError, match='with_cls_token'):
        tiny(with_cls_token=False)


def test_amp():
    model = tiny(reference_encoding=True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = model(torch.randn(2, 3, 32, 32))[0]
    out.float().sum().backward()
    assert torch.isfinite(out).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_layer_depth():
    model, prefix = tiny(reference_encoding=True), 'backbone.'
    depths = {name: model.get_layer_depth(prefix + name, prefix) for name, _ in model.named_parameters()}
    assert {total for _, total in depths.values()} == {5}
    assert all(
        depths[name][0] == 0
        for name in ('cls_token', 'reference', 'ref_encoding.0.weight', 'patch_embed.projection.bias')
    )
    assert [depths[f'layers.{i}.ln1.weight'][0] for i in range(3)] == [1, 2, 3]
    assert depths['ln1.weight'][0] == 4
    assert model.get_layer_depth('head.fc.weight', prefix)[0] == 4


def test_frozen_stages():
    model = tiny(reference_encoding=True, frozen_stages=1)
    still = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert {'cls_token', 'reference', 'ref_encoding.2.bias', 'patch_embed.projection.weight'} <= still
    assert not any(name.startswith('layers.1') for name in still)


def test_a_position_embedding_in_a_checkpoint_is_reported():
    state = dict(tiny().state_dict(), pos_embed=torch.zeros(1, 17, 32))
    assert tiny().load_state_dict(state, strict=False).unexpected_keys == ['pos_embed']
    with pytest.raises(RuntimeError, match='Unexpected key.*pos_embed'):
        tiny().load_state_dict(state)


def test_state_survives_a_round_trip(tmp_path):
    model = tiny(reference_encoding=True)
    torch.save(model.state_dict(), tmp_path / 'm.pth')
    other = tiny(reference_encoding=True)
    other.load_state_dict(torch.load(tmp_path / 'm.pth', weights_only=True))
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(other(images)[0], model(images)[0])
    assert copy.deepcopy(model).reference is not model.reference


def test_it_is_a_backbone_in_mmdet():
    init_default_scope('mmdet')
    backbone = dict(type='PEViT', arch=TINY, img_size=32, patch_size=8, out_type='featmap')
    detector = MODELS.build(
        dict(
            type='mmdet.FCOS',
            data_preprocessor=dict(type='mmdet.DetDataPreprocessor'),
            backbone=backbone,
            neck=dict(type='mmdet.FPN', in_channels=[32], out_channels=32, num_outs=5),
            bbox_head=dict(type='mmdet.FCOSHead', num_classes=3, in_channels=32, feat_channels=32),
        )
    )
    assert isinstance(detector.backbone, PEViT)
    feats = detector.extract_feat(torch.randn(1, 3, 64, 32))
    assert feats[0].shape == (1, 32, 8, 4)


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmdet', 'mmengine'])
@pytest.mark.parametrize('name', ['PEViT', 'hii_mm.PEViT'])
def test_names_resolve_from_each_scope(scope, name):
    assert import_module(f'{scope}.registry').MODELS.get(name) is PEViT
