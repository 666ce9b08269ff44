"""Fused attention, torch.compile and patch dropout of PEViT and YOLOS."""

import pytest
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from hii_mm.models import PEViT, YOLOSBackbone

VIT = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=64)
SHAPES = [(32, 48), (17, 33)]  # the second image is padded


def pevit(**kwargs):
    torch.manual_seed(0)
    model = PEViT(arch=VIT, img_size=32, patch_size=8, **kwargs)
    model.init_weights()
    return model


def yolos(kind='PlainPatchEmbed', **kwargs):
    torch.manual_seed(0)
    side = 8 if kind == 'PlainPatchEmbed' else 16
    embed = dict(type=kind)
    model = YOLOSBackbone((32, 2, 2), (32, 48), side, num_det_tokens=5, patch_embed=embed, **kwargs)
    model.init_weights()
    return model


def images():
    return torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))


class Attention(TorchFunctionMode):
    """Count calls of the fused attention; with ``slow``, do its arithmetic step by step instead."""

    def __init__(self, slow=False):
        self.calls, self.slow = 0, slow

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is not F.scaled_dot_product_attention:
            return function(*args, **kwargs)
        self.calls += 1
        if not self.slow:
            return function(*args, **kwargs)
        query, key, value = args
        weights = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        if kwargs.get('attn_mask') is not None:
            weights = weights.masked_fill(~kwargs['attn_mask'], -torch.inf)
        return weights.softmax(-1) @ value


@pytest.mark.parametrize('kind', ['PEViT', 'YOLOS', 'PEYOLOS'])
def test_each_layer_calls_the_fused_attention_which_equals_the_slow_one(kind):
    if kind == 'PEViT':
        model, given = pevit(), (images(),)
    else:
        model = yolos('MixedPatchEmbed' if kind == 'PEYOLOS' else 'PlainPatchEmbed', mid_pos_embed=True)
        given = (images(), SHAPES)
    model.eval()
    with torch.no_grad():
        with Attention() as fused:
            expected = model(*given)
        with Attention(slow=True) as slow:
            found = model(*given)
    assert fused.calls == slow.calls == 2
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize('make', [pevit, yolos])
def test_a_compiled_model_steps_as_the_model_does(make):
    """By TorchDynamo and AOTAutograd, without Inductor, which needs a C++ compiler."""
    gradients = []
    for compiled in (False, True):
        model = make(patch_dropout=0.5)
        model.train()  # mmpretrain's backbones return None here
        run = torch.compile(model, backend='aot_eager', fullgraph=True) if compiled else model
        torch.manual_seed(2)
        out = run(images())
        (out[0] if make is pevit else out).square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
        assert all(value is not None for value in gradients[-1].values())
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def tokens_seen(model, calls, *given):
    """The tokens (B, L, D) that the first layer reads in each call."""
    seen = []
    layers = model.layers if isinstance(model, PEViT) else model.blocks
    hook = layers[0].register_forward_pre_hook(lambda module, args: seen.append(args[0].detach()))
    for _ in range(calls):
        model(*given)
    hook.remove()
    return seen


@pytest.mark.parametrize('make, given', [(pevit, ()), (yolos, ()), (yolos, (SHAPES,))])
def test_training_keeps_half_of_the_patches_each_as_often(make, given):
    model = make(patch_dropout=0.5)
    model.eval()
    whole = tokens_seen(model, 1, images(), *given)[0]
    model.train()
    parts = tokens_seen(model, 40, images(), *given)
    patches, others = 24, whole.shape[1] - 24
    chosen = []
    for part in parts:
        assert part.shape == (2, patches // 2 + others, 32)
        same = (part[:, :, None] - whole[:, None]).abs().amax(-1) < 1e-6  # (B, kept, all)
        assert (same.sum(2) == 1).all()  # only tokens that are there, unchanged
        assert same[:, 0, 0].all()  # the class token
        assert same[:, 13:, 25:].diagonal(dim1=1, dim2=2).all()  # detection tokens, in order
        chosen.append(same.any(1)[:, 1 : patches + 1])
    chosen = torch.stack(chosen)  # (40, B, patches)
    assert (chosen.sum(2) == 12).all()
    counts = chosen.sum(0)  # 20 of 40, deviation 3.2
    assert counts.min() >= 7 and counts.max() <= 33
    assert (chosen[:, 0] != chosen[:, 1]).any(1).all()  # each image has its own
    assert len({tuple(row.tolist()) for row in chosen[:, 0]}) == 40  # and each step


@pytest.mark.parametrize('make', [pevit, yolos])
def test_dropout_changes_neither_evaluation_nor_checkpoints(make):
    plain, dropping = make(), make(patch_dropout=0.5)
    assert dropping.state_dict().keys() == plain.state_dict().keys()
    dropping.load_state_dict(plain.state_dict())
    for model in (plain, dropping):
        model.eval()
    with torch.no_grad():
        torch.testing.assert_close(dropping(images()), plain(images()), atol=0, rtol=0)


def test_the_tables_between_layers_follow_the_kept_patches():
    model = yolos(patch_dropout=0.5, mid_pos_embed=True).train()
    model.blocks = torch.nn.ModuleList([Same(), Same()])
    with torch.no_grad():
        for table in (model.pos_embed, model.mid_pos_embed, *model.patch_embed.parameters()):
            table.zero_()
        codes = torch.arange(1.0, 31)
        model.mid_pos_embed[0] = codes[None, :, None]
        seen = []
        model.norm = torch.nn.Identity()
        model.blocks[1].register_forward_pre_hook(lambda module, args: seen.append(args[0][..., 0]))
        model.cls_token.zero_()
        model.det_token.zero_()
        model(images())
    (row,) = seen
    assert (row[:, 0] == 1).all() and (row[:, -5:] == codes[-5:]).all()
    assert all(len(set(kept.tolist())) == 12 and kept.min() >= 2 and kept.max() <= 25 for kept in row[:, 1:-5])


class Same(torch.nn.Module):
    """A layer that returns its input."""

    def forward(self, x, mask=None):
        return x


def test_settings_that_need_every_patch():
    with pytest.raises(ValueError, match="patch_dropout 0.5 leaves holes in out_type 'featmap'"):
        pevit(patch_dropout=0.5, out_type='featmap')
    with pytest.raises(ValueError, match=r'patch_dropout must be in \[0, 1\), got 1'):
        pevit(patch_dropout=1)
    with pytest.raises(ValueError, match='patch_dropout 0.5 leaves out patches'):
        yolos(patch_dropout=0.5).train()(images(), with_patches=True)
