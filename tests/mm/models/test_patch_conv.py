"""PatchConvViT: a stem within the patch, with and without positions."""

import math

import pytest
import torch

from hii_mm.errors import InvalidValueError
from hii_mm.models import PatchConvViT

ARCH = dict(embed_dims=12, num_layers=2, num_heads=2, feedforward_channels=16)


def model(side=8, **options):
    torch.manual_seed(0)
    made = PatchConvViT(
        ARCH, img_size=4 * side, patch_size=side, out_type='avg_featmap', with_cls_token=False, **options
    )
    made.init_weights()
    made.eval()
    return made


def shuffled(images, side, order):
    """Move the patches of square images: the slow way, one patch after the other."""
    cols, out = images.shape[3] // side, torch.empty_like(images)
    for place, source in enumerate(order):
        (y, x), (v, u) = divmod(place, cols), divmod(int(source), cols)
        out[:, :, y * side :, x * side :][:, :, :side, :side] = images[:, :, v * side :, u * side :][:, :, :side, :side]
    return out


@pytest.mark.parametrize('side', [16, 12, 8, 6, 5])
def test_the_order_of_patches_matters_with_positions_alone(side):
    images = torch.randn(2, 3, 4 * side, 4 * side)
    moved = shuffled(images, side, torch.randperm(16))
    without, with_places = model(side), model(side, positions=True)
    assert without.input_patch_size == (side, side)
    assert torch.allclose(without(images)[0], without(moved)[0], atol=1e-5)
    with torch.no_grad():
        with_places.pos_embed.normal_()
    assert not torch.allclose(with_places(images)[0], with_places(moved)[0], atol=1e-2)
    other = shuffled(images, side, torch.randperm(16)).roll(side // 2, 3)  # pixels cross the borders of patches
    assert not torch.allclose(without(images)[0], without(other)[0], atol=1e-4)


def test_an_image_of_another_size_gets_positions_by_interpolation():
    places = model(positions=True)
    assert places(torch.randn(1, 3, 24, 40))[0].shape == (1, 12)
    assert 'pos_embed' in places.state_dict() and 'pos_embed' not in model().state_dict()


def test_positions_begin_as_sines_and_cosines_of_rows_and_columns():
    made = PatchConvViT(ARCH, img_size=(24, 40), patch_size=8, with_cls_token=False, out_type='raw', positions=True)
    made.init_weights()
    table = made.pos_embed.detach()[0].view(3, 5, 12)
    for row in range(3):
        for col in range(5):
            angles = [place / 100 ** (k / 3) for place in (col, row) for k in range(3)]
            halves = angles[:3], angles[3:]
            waves = [wave(angle) for half in halves for wave in (math.sin, math.cos) for angle in half]
            assert table[row, col].tolist() == pytest.approx(waves, abs=1e-6)


def test_similar_patches_attend_to_each_other_at_the_start():
    made = model(positions=True)
    for layer in made.layers:
        query, key, value = layer.attn.qkv.weight.detach().chunk(3)
        assert torch.equal(query, key) and not torch.equal(query, value)


def test_positions_need_a_multiple_of_four_channels():
    arch = dict(ARCH, embed_dims=10)
    with pytest.raises(InvalidValueError, match='multiple of 4, got 10'):
        PatchConvViT(arch, img_size=32, patch_size=8, with_cls_token=False, out_type='raw', positions=True)


def test_patch_dropout_acts_in_training_and_keeps_places():
    net = model(positions=True, patch_dropout=0.5)
    seen = []
    net.stem.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    images = torch.randn(3, 3, 32, 32)
    net(images)
    net.train()
    net(images)
    assert seen == [48, 24]  # what is left out is not embedded
    marked = torch.arange(16.0).view(1, 16, 1, 1, 1).expand(3, -1, 3, 8, 8)
    kept, places = net._kept(marked, torch.arange(16.0).view(1, 16, 1).expand(3, -1, 12))
    assert torch.equal(kept[:, :, 0, 0, 0], places[:, :, 0]) and kept.shape[:2] == (3, 8)
    assert all(len(set(row.tolist())) == 8 for row in places[:, :, 0])  # none twice


def test_every_parameter_learns():
    net = model(positions=True)
    net.train()
    net(torch.randn(2, 3, 32, 32))[0].square().sum().backward()
    assert [name for name, value in net.named_parameters() if value.grad is None or not value.grad.any()] == []


def test_a_wrong_share_is_refused():
    with pytest.raises(InvalidValueError, match='patch_dropout'):
        model(patch_dropout=1.0)
