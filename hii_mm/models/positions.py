"""Positions on a grid of patches as sines and cosines, at which position embeddings begin."""

from __future__ import annotations

import torch
from torch import Tensor


def sine_cosine(down: int, across: int, rows: int, cols: int, dims: int) -> Tensor:
    """Return sines and cosines of evenly spaced positions on a grid of patches: (down * across, dims).

    Wavelengths grow from 2 pi to 200 pi patches, as in Vaswani et al., 2017, with a base of 100.

    Args:
        down: positions along y.
        across: positions along x.
        rows: rows of patches of the grid.
        cols: columns of patches of the grid.
        dims: width, a multiple of 4.
    """
    y = (torch.arange(down) + 0.5) * rows / down - 0.5
    x = (torch.arange(across) + 0.5) * cols / across - 0.5
    rates = 100.0 ** (-torch.arange(dims // 4) / (dims // 4))
    y, x = (places.flatten()[:, None] * rates for places in torch.meshgrid(y, x, indexing='ij'))
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], dim=1)
