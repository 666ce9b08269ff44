"""Match gradients on a tiny permutation-invariant ViT: a control, not evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...encryption import Scheme
from ...errors import AttackRefusedError
from .. import learning
from ..base import Attack, Figures, Given, Recovery, register
from ..solver.grids import place_shape, unshuffled
from ..solver.layout import lay_out
from ..solver.pieces import as_rgb, cut, tokens
from ..solver.restore import restore
from .parrot import network

MOST = 64  # pieces
CLASSES, LABEL = 10, 3  # of the model, and of the training step


@register
class Gradient(Attack):
    """Recover pieces from the gradient of a training step: at most the bag of pieces, as the model knows no order.

    A tiny model without positions takes one step on the encrypted image; the
    attack sees the gradient alone and looks for pieces with the same one. The
    pieces come back, if at all, in any order: no more than the trainer had.

    Args:
        steps: of Adam.
    """

    name = 'gradient'
    source = 'Geiping et al., "Inverting gradients", arXiv 2003.14053'
    cost = 'a minute an image of 16 pieces'
    supposing = 'the gradient of one training step on this image alone is seen'

    def __init__(self, steps: int = 300) -> None:
        self.steps = steps

    def refuses(self, scheme: Scheme) -> str | None:
        """Return why this attack does not apply to schemes without a shuffle."""
        return unshuffled(scheme)

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        torch = learning.torch()
        rows, cols = place_shape(scheme, image.shape)
        if rows * cols > MOST:
            raise AttackRefusedError(f'gradient takes images of at most {MOST} pieces, got {rows * cols}')
        torch.manual_seed(0)
        model = network(scheme, CLASSES)
        truth = torch.from_numpy(tokens(image, scheme.core_size))[None]

        def gradient(inputs: Any, graph: bool) -> Any:
            loss = torch.nn.functional.cross_entropy(model(inputs), torch.tensor([LABEL]))
            found = torch.autograd.grad(loss, model.parameters(), create_graph=graph)
            return torch.cat([part.flatten() for part in found])

        # only plain attention has a second derivative
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            guess, loss = self._match(gradient, truth)
        pieces = (guess.detach()[0].numpy() + 1) * 127.5
        pieces = pieces.reshape(-1, *scheme.core_size, 3).astype(np.float32)
        places = np.arange(rows * cols).reshape(rows, cols)
        bag = bag_distance(lay_out(pieces, places), image, (rows, cols))
        drawn = restore(pieces, places, None, scheme, None, np.zeros(places.shape))  # no order: no sure neighbours
        sure = float(np.clip(1 - loss.item(), 0, 1))
        return Recovery(drawn.image, confidence=sure, facts={'bag': bag} if np.isfinite(bag) else {}, raw=drawn.raw)

    def _match(self, gradient: Callable[[Any, bool], Any], truth: Any) -> tuple[Any, Any]:
        """Return pieces (1, n, d) whose gradient points where that of ``truth`` does, and the last loss."""
        torch = learning.torch()
        seen = gradient(truth, False).detach()
        guess = torch.zeros_like(truth).normal_(0, 0.1).requires_grad_()
        optimiser = torch.optim.Adam([guess], 0.05)
        for _ in range(self.steps):
            loss = 1 - torch.cosine_similarity(gradient(guess, True), seen, dim=0)
            guess.grad = torch.autograd.grad(loss, guess)[0].sign()  # as the source does
            optimiser.step()
            with torch.no_grad():
                guess.clamp_(-1, 1)
        return guess, loss

    @classmethod
    def summarise(cls, facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the mean distance of the bags: {'bag': float}."""
        found = [run['bag'] for run in facts if 'bag' in run]
        return {'bag': float(np.mean(found))} if found else {}

    @classmethod
    def words(cls, figures: Figures) -> str | None:
        """Return how far the pieces that were found are from the true ones; None if it was not measured."""
        bag = figures.facts.get('bag')
        if bag is None:
            return None
        return (
            f'The pieces that it found, in no order, are {bag:.2f} times as far from the true ones as '
            'the mean piece is (0: all of them found, 1: nothing).'
        )


def bag_distance(found: np.ndarray, image: np.ndarray, grid: tuple[int, int]) -> float:
    """Return the mean distance of each true piece to the nearest one found, over that to the mean piece.

    Args:
        found: (H, W, 3) of the pieces that were found, in any order.
        image: the encrypted image.
        grid: (rows, columns).

    Returns:
        0 if all pieces were found, about 1 if none were.
    """
    a, b = (cut(as_rgb(picture), grid).reshape(grid[0] * grid[1], -1) for picture in (image, found))
    near = np.sqrt(((a[:, None] - b) ** 2).mean(axis=2).min(axis=1)).mean()
    flat = np.sqrt(((a - a.mean(axis=0)) ** 2).mean(axis=1)).mean()
    return float(near / max(flat, 1e-6))
