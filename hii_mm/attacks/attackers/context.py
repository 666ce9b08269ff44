"""Reassemble shuffled patches by a network that sees all of them at once."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...encryption import Scheme, ShuffleParams
from ...errors import AttackRefusedError
from ...files import StrPath
from .. import learning
from ..base import Given, Recovery, register
from ..context import checkpoint
from ..context.examples import measured, quarters
from ..context.learner import tensor
from ..context.trainer import ContextTrainer
from ..solver.grids import unshuffled
from ..solver.seams import posteriors
from .jigsaw import Jigsaw

MOST = 3200  # items (pieces, or pieces times turns) whose pairs fit into memory


@register
class Context(Jigsaw):
    """Score neighbours by a small transformer over all pieces, which also sees the jigsaw's measures.

    Checkpoints for some settings are shipped; for any other one
    ``hii-mm attack-train context`` trains it on public photos, in minutes on
    a CPU core. The jigsaw's assembler then lays the pieces.

    Args:
        checkpoint: the file that the training wrote; None takes the shipped one that fits the scheme.
        effort: as :class:`Jigsaw`.
    """

    name = 'context'
    source = 'own; pairwise learning as in TEN, Rika et al., arXiv 2203.06488, with a set transformer'
    cost = 'about 15 minutes of training on a CPU core where no checkpoint is shipped, then seconds an image'
    beside = 'jigsaw'
    trainer = ContextTrainer

    def __init__(self, checkpoint: StrPath | None = None, effort: float = 1.0) -> None:
        super().__init__(effort)
        self.checkpoint = checkpoint
        self.model: Any = None
        self.curve: list[dict[str, Any]] = []

    def refuses(self, scheme: Scheme) -> str | None:
        """Return the reason why this attack does not apply: no shuffle, no torch, or no checkpoint."""
        why = unshuffled(scheme)
        if why:
            return why
        if importlib.util.find_spec('torch') is None:
            return 'needs torch, which is not installed. Run: pip install torch'
        return learning.untrained(self.name, self.checkpoint or checkpoint.shipped(scheme))

    def prepare(self, scheme: Scheme, given: Given) -> None:
        """Load the checkpoint.

        Raises:
            CheckpointError: not a checkpoint of this attack at this scheme, or a shipped file that was changed.
            OSError: it cannot be read.
        """
        path = self.checkpoint
        if path is None:
            path = checkpoint.shipped(scheme)
            if path is not None:
                checkpoint.verify(path)
        self.model, self.fitted, self.curve = checkpoint.load_model(path, scheme)

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        if self.model is None:
            self.prepare(scheme, given)
        curve = [[point['step'], point['top1']] for point in self.curve if point['top1'] is not None]
        return replace(super()._recover(image, scheme, given), facts={'curve': curve} if curve else {})

    def scores(self, pieces: np.ndarray, shuffle: ShuffleParams, codes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return log-posteriors of the network that item j is right of, and below, item i: float32 (N, N) twice.

        Raises:
            AttackRefusedError: too many pieces.
        """
        if len(pieces) * len(codes) > MOST:
            raise AttackRefusedError(
                f'{self.name}: {len(pieces)} pieces of {len(codes)} turns are more than {MOST} items'
            )
        torch = learning.torch()
        assert self.fitted is not None  # prepare() sets it
        streams, measures, piece = measured(pieces, codes, self.fitted)
        same = piece[:, None] == piece
        with torch.no_grad():
            parts = [torch.from_numpy(tensor(stream)) for stream in streams]
            scores = self.model(parts, torch.from_numpy(measures), torch.from_numpy(same))
        banned = np.nonzero(same)
        found = [posteriors(score.numpy(), banned) for score in scores]
        if len(found) == 1:
            turned = quarters(len(pieces), codes)
            found.append(found[0][np.ix_(turned, turned)])
        return found[0], found[1]

    @classmethod
    def summarise(cls, facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the learning curve: ``{'curve': [[step, share of right neighbours that are ranked first], ...]}``."""
        curves = [fact['curve'] for fact in facts if 'curve' in fact]
        return {'curve': curves[0]} if curves else {}
