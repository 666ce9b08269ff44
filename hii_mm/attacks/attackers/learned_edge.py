"""Learn how borders fit across a gap, for the jigsaw's assembler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...encryption import Scheme, ShuffleParams
from .. import learning
from ..base import Given, Recovery, register
from ..solver.grids import patch_grid, shuffle_of, unshuffled
from ..solver.pieces import all_turns, before_shuffle, plain_cores
from ..solver.seams import as_lab, seam_scores
from .jigsaw import Jigsaw

STRIP = 8  # pixels of each piece that are looked at, counted from the seam
SIZE = 128  # of an embedding


class LearnedEdgeTrainer(learning.NetworkTrainer):
    """Train on crops of public photos, with the contrastive loss over all pieces of a picture.

    Orientation and drop are not simulated: they change no seam. Each step
    takes all seams of one picture, rightwards or downwards in turn.
    """

    attack = 'learned-edge'
    steps = 500

    @classmethod
    def refuses(cls, scheme: Scheme) -> str | None:
        """Return why nothing can be learned at a scheme: no shuffle, or oblong pieces."""
        h, w = scheme.core_size
        return unshuffled(scheme) or (None if h == w else f'only square pieces are learned, got {h} x {w}')

    def start(self, labels: Sequence[str]) -> tuple[Any, dict[str, Any]]:
        """Return a fresh module, and what it is trained for."""
        return network(self.scheme), about(self.scheme)

    def batch_loss(self, photos: Sequence[np.ndarray], step: int) -> Any:
        """Return the cross-entropy of the true neighbours, among all pieces of a crop."""
        torch, shuffle = learning.torch(), shuffle_of(self.scheme)
        image = before_shuffle(learning.crop(photos, self.rng, self.shape), self.scheme).round()
        pieces, (rows, cols) = plain_cores(image, shuffle), patch_grid(self.scheme, self.shape)
        index = np.arange(rows * cols).reshape(rows, cols)
        first, second = (index[:-1], index[1:]) if step % 2 else (index[:, :-1], index[:, 1:])
        pieces = np.ascontiguousarray(pieces.swapaxes(1, 2) if step % 2 else pieces)
        lab = as_lab(pieces)
        known = torch.from_numpy(seam_scores(pieces, pieces, lab, lab, shuffle.gap))
        scores = self.model(torch.from_numpy(_strips(pieces)), known)
        scores = scores.masked_fill(torch.eye(len(pieces), dtype=torch.bool), -1e9)
        a, b = (torch.from_numpy(part.ravel()) for part in (first, second))
        cross = torch.nn.functional.cross_entropy
        return cross(scores[a], b) + cross(scores.T[b], a)


@register
class LearnedEdge(Jigsaw):
    """Embed the two sides of a seam by two small CNNs; their product is added to the jigsaw's own measures.

    Trained by ``hii-mm attack-train learned-edge`` on public photos at the
    same scheme.

    Args:
        checkpoint: the file that the training wrote.
        effort: as :class:`Jigsaw`.
    """

    name = 'learned-edge'
    source = 'after TEN, Rika et al., arXiv 2203.06488; InfoNCE'
    cost = 'training minutes on a CPU core, then as jigsaw'
    beside = 'jigsaw'
    trainer = LearnedEdgeTrainer

    def __init__(self, checkpoint: str | None = None, effort: int = 60) -> None:
        super().__init__(effort)
        self.checkpoint = checkpoint
        self.model: Any = None

    def refuses(self, scheme: Scheme) -> str | None:
        """Return the reason why this attack does not apply: no shuffle, oblong pieces, or no checkpoint."""
        return LearnedEdgeTrainer.refuses(scheme) or learning.untrained(self.name, self.checkpoint)

    def prepare(self, scheme: Scheme, given: Given) -> None:
        """Load the checkpoint.

        Raises:
            CheckpointError: not a checkpoint of this attack at this scheme.
        """
        self.model = learning.load(self.checkpoint, self.name, about(scheme), network(scheme))

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        if self.model is None:
            self.prepare(scheme, given)
        return super()._recover(image, scheme, given)

    def seams(self, pieces: np.ndarray, shuffle: ShuffleParams, codes: Sequence[int]) -> np.ndarray:
        """Return the scores of the jigsaw plus those of the network."""
        torch = learning.torch()
        known = super().seams(pieces, shuffle, codes)
        with torch.no_grad():
            return self.model(torch.from_numpy(_strips(all_turns(pieces, codes))), torch.from_numpy(known)).numpy()


def about(scheme: Scheme) -> dict[str, Any]:
    """Return what a checkpoint is trained for: the cores, the gap, and how the pixels were mixed."""
    mixup = scheme.mixup
    mixed = {'mixed': list(mixup.patch_size)} if mixup else {}
    grid = mixup.grid if mixup else 1
    return {'core': list(scheme.core_size), 'gap': shuffle_of(scheme).gap, 'grid': grid, **mixed}


def network(scheme: Scheme) -> Any:
    """Return the module: (strips (2, n, 3, h, strip), known scores (n, n)) -> scores (n, n), rows are left pieces."""
    torch = learning.torch()
    nn = torch.nn
    height, width = scheme.core_size[0], min(STRIP, *scheme.core_size)
    columns = (width + 3) // 4  # after two strides of 2

    def convolution(before: int, after: int, stride: int) -> list[Any]:
        return [nn.Conv2d(before, after, 3, (1, stride), padding=1), nn.GroupNorm(4, after), nn.GELU()]

    class Side(nn.Module):  # type: ignore[misc, name-defined]  # torch is imported when used
        def __init__(self) -> None:
            super().__init__()
            layers = [*convolution(3, 32, 1), *convolution(32, 48, 2), *convolution(48, 48, 2)]
            self.look = nn.Sequential(*layers, nn.Flatten())
            self.embed = nn.Linear(48 * height * columns + 3 * height * width, SIZE)

        def forward(self, x: Any) -> Any:
            """(n, 3, h, strip) -> (n, SIZE), from what the convolutions see and from the pixels themselves."""
            return self.embed(torch.cat([self.look(x), x.flatten(1)], dim=1))

    class Sides(nn.Module):  # type: ignore[misc, name-defined]  # torch is imported when used
        def __init__(self) -> None:
            super().__init__()
            self.sides = nn.ModuleList([Side(), Side()])
            self.trust = nn.Parameter(torch.ones(()))
            self.scale = nn.Parameter(torch.full((), 0.3))

        def forward(self, strips: Any, known: Any) -> Any:
            """(2, n, 3, h, strip), (n, n) -> (n, n)."""
            left, right = (side(part) for side, part in zip(self.sides, strips))
            return self.trust * known + self.scale * left @ right.T

    return Sides()


def _strips(pieces: np.ndarray) -> np.ndarray:
    """Return the right borders, mirrored, and the left ones: (n, h, w, 3) -> float32 (2, n, 3, h, strip)."""
    width = min(STRIP, pieces.shape[2])
    sides = np.stack([pieces[:, :, ::-1][:, :, :width], pieces[:, :, :width]])
    return np.ascontiguousarray(sides.transpose(0, 1, 4, 2, 3), np.float32) / 127.5 - 1
