"""Steps of a training: scores, losses and updates. Torch is imported when used."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .. import learning
from . import precision
from .examples import Example

RATE, WARM = 1e-3, 0.1  # the highest learning rate, and the share of the steps until it is reached
DECAY, MOST = 0.01, 1.0  # weight decay, and the greatest norm of a gradient


class Learner:
    """A module with its optimiser, on a GPU where there is one.

    Args:
        model: the module.
        arithmetic: 'float32' or 'bfloat16', or 'auto' until :meth:`choose`.
    """

    def __init__(self, model: Any, arithmetic: str) -> None:
        self.device, self.precision = precision.device(), arithmetic
        self.model = model.to(self.device)
        self.optimiser = learning.torch().optim.AdamW(model.parameters(), weight_decay=DECAY)

    def choose(self, found: Example) -> None:
        """Take the faster arithmetic, unless it was named."""
        if self.precision == 'auto':
            self.precision = precision.faster(lambda context: self._loss(found, context).backward())

    def scores(self, found: Example) -> list[np.ndarray]:
        """Return the scores of all items of an example, float32 (N, N) for each stream."""
        with learning.torch().no_grad():
            scores = self._scores(found, precision.arithmetic(self.precision)())
        return [score.float().cpu().numpy() for score in scores]

    def step(self, found: Example, rate: float) -> float:
        """Learn from an example at a learning rate, and return the loss."""
        for group in self.optimiser.param_groups:
            group['lr'] = rate
        loss = self._loss(found, precision.arithmetic(self.precision)())
        self.optimiser.zero_grad()
        loss.backward()
        learning.torch().nn.utils.clip_grad_norm_(self.model.parameters(), MOST)
        self.optimiser.step()
        return float(loss.item())

    def _scores(self, found: Example, context: AbstractContextManager[Any]) -> list[Any]:
        torch = learning.torch()
        streams = [torch.from_numpy(tensor(stream)).to(self.device) for stream in found.streams]
        measures = torch.from_numpy(np.ascontiguousarray(found.measures)).to(self.device).float()
        banned = torch.from_numpy(found.piece[:, None] == found.piece).to(self.device)
        with context:
            scores: list[Any] = self.model(streams, measures, banned)
        return scores

    def _loss(self, found: Example, context: AbstractContextManager[Any]) -> Any:
        """Return the cross-entropy of the true right neighbours and of the true left ones."""
        torch = learning.torch()
        cross, losses = torch.nn.functional.cross_entropy, []
        for scores, seams in zip(self._scores(found, context), found.seams):
            left, right = torch.from_numpy(np.ascontiguousarray(seams.T)).to(self.device)
            losses.append(cross(scores[left], right) + cross(scores.T[right], left))
        return sum(losses) / len(losses)


def tensor(pieces: np.ndarray) -> np.ndarray:
    """Return pieces (N, h, w, 3) in [0, 255] as float32 (N, 3, h, w) in [-1, 1]."""
    return np.ascontiguousarray(pieces.transpose(0, 3, 1, 2), np.float32) / 127.5 - 1


def rate(step: int, total: int) -> float:
    """Return the learning rate of a step: rising in a line at first, then falling as a cosine."""
    warm = max(1.0, WARM * total)
    done = max(0.0, step - warm) / max(1.0, total - warm)
    return RATE * min(1.0, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * done))
