"""FloatMuon against singular value decompositions, and timm's own."""

import pytest
import timm.optim.muon
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from hii_mm.training.muon import FloatMuon

EXACT = [(1.875, -1.25, 0.375)]  # Newton-Schulz of degree 5 that converges to singular values of 1


def change(kind, gradient, **options):
    """Return how one step of momentum 0 changes a matrix of zeros."""
    weight = nn.Parameter(torch.zeros_like(gradient))
    options |= dict(lr=1.0, momentum=0.0, nesterov=False, weight_decay=0.0, adjust_lr_fn='original')
    optimizer = kind([weight], **options)
    weight.grad = gradient.clone()
    optimizer.step()
    return weight.detach()


@pytest.mark.parametrize('shape', [(12, 12), (8, 24), (20, 6, 2, 2)])
def test_a_step_is_the_nearest_orthogonal_matrix(shape):
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    flat = gradient.flatten(1).double()
    left, _, right = torch.linalg.svd(flat, full_matrices=False)
    scale = max(1, flat.shape[0] / flat.shape[1]) ** 0.5  # timm's 'original' scale
    oracle = -scale * left @ right
    options = dict(ns_coefficients=EXACT, ns_steps=40)
    ours = change(FloatMuon, gradient, **options).flatten(1).double()
    theirs = change(timm.optim.Muon, gradient, **options).flatten(1).double()
    assert (ours - oracle).abs().max() < 1e-5
    assert (theirs - oracle).abs().max() > 1e-4  # in bfloat16: the check above is able to fail


def test_timms_own_is_as_before():
    before = timm.optim.muon.zeropower_via_newtonschulz
    change(FloatMuon, torch.ones(6, 6).tril())
    assert timm.optim.muon.zeropower_via_newtonschulz is before

    weight = nn.Parameter(torch.zeros(6, 6))
    weight.grad = torch.ones(6, 6)

    def fails():
        raise RuntimeError('no loss')

    with pytest.raises(RuntimeError, match='no loss'):
        FloatMuon([weight], lr=1.0).step(fails)
    assert timm.optim.muon.zeropower_via_newtonschulz is before


def test_a_config_builds_it_and_a_linear_layer_learns():
    torch.manual_seed(0)
    model = nn.Linear(8, 8)
    wrapper = build_optim_wrapper(model, dict(type='OptimWrapper', optimizer=dict(type='hii_mm.FloatMuon', lr=0.05)))
    assert isinstance(wrapper.optimizer, FloatMuon)
    inputs, truth = torch.randn(64, 8), torch.randn(8, 8)
    losses = []
    for _ in range(60):
        loss = (model(inputs) - inputs @ truth).square().mean()
        losses.append(loss.item())
        wrapper.update_params(loss)
    assert losses[-1] < 0.5 * losses[0]
