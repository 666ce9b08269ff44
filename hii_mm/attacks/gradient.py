"""Gradient matching on a tiny permutation-invariant ViT: a control, not evidence."""

import numpy as np

from . import learning
from .base import Attack, Recovery, register
from .parrot import network
from .pieces import as_rgb, cut, lay_out

MOST = 64  # pieces


@register
class Gradient(Attack):
    """What a training step's gradient gives away: at most the bag of pieces, as the model knows no order.

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

    def __init__(self, steps=300):
        self.steps = steps

    def refuses(self, setting):
        """It is about shuffled pieces."""
        return None if setting.shuffle else 'nothing was shuffled at this setting'

    def _recover(self, image, setting, given):
        torch, rs = learning.torch(), setting.shuffle
        rows, cols = setting.places(image.shape)
        if rows * cols > MOST:
            raise ValueError(f'gradient takes images of at most {MOST} pieces, got {rows * cols}')
        torch.manual_seed(0)
        model = network(setting, 10)
        truth = torch.from_numpy(learning.tokens(image, rs))[None]

        def gradient(inputs, graph):
            loss = torch.nn.functional.cross_entropy(model(inputs), torch.tensor([3]))
            found = torch.autograd.grad(loss, model.parameters(), create_graph=graph)
            return torch.cat([part.flatten() for part in found])

        plain_attention = torch.nn.attention.sdpa_kernel(
            torch.nn.attention.SDPBackend.MATH
        )  # it has a second derivative
        with plain_attention:
            guess, loss = self._match(gradient, truth)
        pieces = (guess.detach()[0].numpy() + 1) * 127.5
        h, w = rs.core_size
        places = np.arange(rows * cols).reshape(rows, cols)
        found = lay_out(pieces.reshape(-1, h, w, 3).astype(np.float32), places)
        return Recovery(
            found.round().clip(0, 255).astype(np.uint8),
            confidence=float(np.clip(1 - loss.item(), 0, 1)),
            extra={'bag': bag_distance(found, image, (rows, cols))},
        )

    def _match(self, gradient, truth):
        """Pieces (1, n, d) whose gradient points where that of the truth does, and the last loss."""
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


def bag_distance(found, image, grid):
    """Mean distance of each true piece to the nearest found one, over that to the mean piece: 0 is all, 1 nothing."""
    a, b = (cut(as_rgb(picture), grid).reshape(grid[0] * grid[1], -1) for picture in (image, found))
    near = np.sqrt(((a[:, None] - b) ** 2).mean(axis=2).min(axis=1)).mean()
    flat = np.sqrt(((a - a.mean(axis=0)) ** 2).mean(axis=1)).mean()
    return float(near / max(flat, 1e-6))
