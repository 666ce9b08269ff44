"""Learn where each piece of a shuffled image was, for the jigsaw's assembler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...encryption import Scheme, ShuffleParams
from ...errors import CheckpointError
from .. import learning
from ..base import Given, Recovery, register
from ..solver.grids import patch_grid, plain_grid, shuffle_of, unshuffled
from ..solver.pieces import before_shuffle, plain_cores
from ..solver.seams import posteriors
from ..solver.values import with_noise, with_tone
from .jigsaw import Jigsaw

WIDTH, DEPTH, HEADS = 128, 4, 4
BATCH = 8  # crops a step


class PositionViTTrainer(learning.NetworkTrainer):
    """Train on crops of public photos, with the cross-entropy of the true places."""

    attack = 'position-vit'
    steps = 2000

    @classmethod
    def refuses(cls, scheme: Scheme) -> str | None:
        """Return why nothing can be learned at a scheme: no shuffle, or turned pieces."""
        turned = scheme.shuffle is not None and scheme.shuffle.orient
        return unshuffled(scheme) or ('pieces that are turned are not learned' if turned else None)

    def start(self, labels: Sequence[str]) -> tuple[Any, dict[str, Any]]:
        """Return a fresh module, and what it is trained for."""
        grid = patch_grid(self.scheme, self.shape)
        return network(self.scheme, grid), about(self.scheme, grid)

    def batch_loss(self, photos: Sequence[np.ndarray], step: int) -> Any:
        """Return the cross-entropy of the places of all pieces of some crops."""
        torch = learning.torch()
        inputs = torch.from_numpy(np.stack([self._sample(photos) for _ in range(BATCH)]))
        target = torch.arange(inputs.shape[1]).expand(BATCH, -1)
        return torch.nn.functional.cross_entropy(self.model(inputs).flatten(0, 1), target.flatten())

    def _sample(self, photos: Sequence[np.ndarray]) -> np.ndarray:
        """Return the pieces of a crop in their plain order, float32 (n, h * w * 3)."""
        image = before_shuffle(learning.crop(photos, self.rng, self.shape), self.scheme).round()
        shuffle = shuffle_of(self.scheme)
        pieces = with_noise(plain_cores(image, shuffle), shuffle.noise, self.rng)
        return _tokens(with_tone(pieces, self.rng) if shuffle.tone else pieces)


@register
class PositionViT(Jigsaw):
    """Classify each piece's place by a ViT without position embedding.

    The probability that one piece's place is beside another's is added to the
    jigsaw's own measures, and the same assembler lays the pieces. Trained by
    ``hii-mm attack-train position-vit``. With few photos it learns little
    more than that the sky is above; the paper's figures need ImageNet.

    Args:
        checkpoint: the file that the training wrote.
        effort: as :class:`Jigsaw`.
    """

    name = 'position-vit'
    source = 'after MP3, Zhai et al., arXiv 2207.07611'
    cost = 'training minutes to hours on a CPU core, then as jigsaw'
    beside = 'jigsaw'
    trainer = PositionViTTrainer

    def __init__(self, checkpoint: str | None = None, effort: float = 1.0) -> None:
        super().__init__(effort)
        self.checkpoint = checkpoint
        self.model: Any = None
        self.grid: tuple[int, int] | None = None  # that the model knows

    def refuses(self, scheme: Scheme) -> str | None:
        """Return the reason why this attack does not apply: no shuffle, turned pieces, or no checkpoint."""
        return PositionViTTrainer.refuses(scheme) or learning.untrained(self.name, self.checkpoint)

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        grid = plain_grid(scheme, image.shape, given.plain_shape)
        if self.model is None:
            self.model = learning.load(self.checkpoint, self.name, about(scheme, grid), network(scheme, grid))
        rows, cols = self.grid = self.grid or grid
        if grid != self.grid:
            raise CheckpointError(
                f'{self.checkpoint} was trained at {rows} x {cols} places, and this image has {grid[0]} x {grid[1]}'
            )
        return super()._recover(image, scheme, given)

    def scores(self, pieces: np.ndarray, shuffle: ShuffleParams, codes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return posteriors of the jigsaw and of the places together."""
        torch, n, grid = learning.torch(), len(pieces), self.grid or ()
        with torch.no_grad():
            chance = self.model(torch.from_numpy(_tokens(pieces))[None])[0].softmax(1).numpy().reshape(n, *grid)
        ends = (chance[:, :, :-1], chance[:, :, 1:]), (chance[:, :-1], chance[:, 1:])
        known, itself = super().scores(pieces, shuffle, codes), (np.arange(n), np.arange(n))
        right, down = (posteriors(score / 2 + _beside(*pair), itself) for score, pair in zip(known, ends))
        return right, down


def about(scheme: Scheme, grid: tuple[int, int]) -> dict[str, Any]:
    """Return what a checkpoint is trained for: how pieces look, and the grid of places."""
    return {**learning.setting(scheme), 'places': list(grid)}


def network(scheme: Scheme, grid: tuple[int, int]) -> Any:
    """Return the module: (B, n, h * w * 3) -> (B, n, rows * columns) logits."""
    nn = learning.torch().nn
    h, w = scheme.core_size
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
    return nn.Sequential(
        nn.Linear(h * w * 3, WIDTH),
        nn.TransformerEncoder(layer, DEPTH, enable_nested_tensor=False),
        nn.LayerNorm(WIDTH),
        nn.Linear(WIDTH, grid[0] * grid[1]),
    )


def _tokens(pieces: np.ndarray) -> np.ndarray:
    """Return pieces (n, h, w, 3) as float32 (n, h * w * 3) in [-1, 1]."""
    return np.ascontiguousarray(pieces.reshape(len(pieces), -1), np.float32) / 127.5 - 1


def _beside(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the log of the probability that i has a place of ``first`` and j the place beside it: float32 (n, n)."""
    first, second = (part.reshape(len(part), -1) for part in (first, second))
    return np.log(first @ second.T + 1e-3 / len(first))
