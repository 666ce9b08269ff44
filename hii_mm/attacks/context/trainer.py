"""Train the network on public photos: resumable, with a learning curve. Torch is imported when used."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...encryption import Scheme
from ...errors import CheckpointError
from ...progress import Progress, silent
from .. import learning
from ..solver.grids import unshuffled
from ..solver.seams import SeamModel, seam_model
from . import checkpoint, held_out
from .examples import Example, cut_example, example
from .learner import Learner, rate
from .network import network
from .pool import Pool

POINTS = 25  # of the learning curve
EVERY = 60.0  # seconds between two writings of the unfinished checkpoint


class ContextTrainer(learning.NetworkTrainer):
    """Train on crops of public photos, with the cross-entropy of the true neighbours.

    Every choice of a step depends on the seed and the step alone, so that a
    training that was interrupted and goes on gives what an uninterrupted one gives.

    Attributes:
        part: where the unfinished checkpoint is kept, which attacks can use; None keeps none.
        precision: 'float32', 'bfloat16', or 'auto' for the faster one.
        curve: points of the learning curve; 'top1' is None where there are too few photos to hold some out.
    """

    attack = 'context'
    steps = 4000

    def __init__(self, scheme: Scheme, shape: tuple[int, int], seed: int = 0, precision: str = 'auto') -> None:
        super().__init__(scheme, shape, seed)
        self.precision = precision
        self.part: Path | None = None
        self.curve: list[dict[str, Any]] = []
        self.losses: list[float] = []
        self.seams: SeamModel | None = None
        self.state: dict[str, Any] | None = None  # to go on from

    @classmethod
    def refuses(cls, scheme: Scheme) -> str | None:
        """Return why nothing can be learned at a scheme: no shuffle."""
        return unshuffled(scheme)

    def resume(self, path: Path) -> None:
        """Go on with an unfinished training at the next :meth:`train`.

        Raises:
            CheckpointError: not an unfinished checkpoint of this scheme and seed.
            OSError: it cannot be read.
        """
        found, self.seams = checkpoint.load(path, self.scheme)
        state = found.get('training')
        if state is None or state['seed'] != self.seed:
            other = 'a training that was finished' if state is None else f'seed {state["seed"]}, not {self.seed}'
            raise CheckpointError(f'{path} cannot be resumed: it is of {other}')
        self.state, self.curve, self.losses = found, list(found['curve']), list(state['losses'])
        self.precision = state['precision']

    def train(
        self,
        photos: Sequence[np.ndarray],
        labels: Sequence[str] | None = None,
        steps: int | None = None,
        progress: Progress = silent,
    ) -> list[float]:
        """Train on public photos, (H, W, 3) uint8 each, and return the losses; go on after :meth:`resume`.

        Raises:
            InvalidValueError: photos that it cannot learn from.
            KeyboardInterrupt: after the unfinished checkpoint was written.
        """
        self.check(photos, ())
        total = self.steps if steps is None else steps
        began, written = time.process_time(), time.monotonic()
        seen, unseen = held_out.split(photos)
        learner, before = self._begin(seen)
        pool = Pool(lambda rng: example(seen, self.scheme, self.shape, self._seams, rng), self.seed)
        checks = [self._example(held_out.middle(photo, self.scheme, self.shape)) for photo in unseen]
        points = {math.ceil(total * k / POINTS) for k in range(1, POINTS + 1)}
        learner.choose(pool.at(0))
        try:
            for step in range(len(self.losses), total):
                self.losses.append(learner.step(pool.at(step), rate(step, total)))
                if step + 1 in points:
                    self._point(learner, checks, before + time.process_time() - began)
                progress(step + 1, total, f'loss {np.mean(self.losses[-max(1, total // 20) :]):.4f}')
                if time.monotonic() - written > EVERY:
                    written = time.monotonic()
                    self._keep(learner, before + time.process_time() - began)
        except KeyboardInterrupt:
            self._keep(learner, before + time.process_time() - began)
            raise
        self.model.to('cpu').eval()
        return self.losses

    def save(self, path: learning.StrPath) -> None:
        """Write the checkpoint, with its measures and the learning curve.

        Raises:
            CheckpointError: nothing was trained yet.
        """
        if self.model is None:
            raise CheckpointError(f'{self.attack} was not trained yet, so there is nothing to write to {path}')
        checkpoint.save(path, self.scheme, self.model, self._seams, self.curve)

    @property
    def _seams(self) -> SeamModel:
        assert self.seams is not None
        return self.seams

    def _begin(self, photos: Sequence[np.ndarray]) -> tuple[Learner, float]:
        """Make the module, fresh or as it was; return its learner, and the CPU seconds that were spent."""
        torch = learning.torch()
        state, self.state = self.state, None
        if state is None:
            self.curve, self.losses, self.seams = [], [], seam_model(self.scheme, photos)
        torch.manual_seed(self.seed)
        self.model, self.about = network(self._seams.core, len(self._seams.names)), checkpoint.about(self.scheme)
        self.model.known.data.copy_(torch.from_numpy(self._seams.sides[0].weights))
        learner = Learner(self.model, self.precision)
        if state is None:
            return learner, 0.0
        self.model.load_state_dict(state['state_dict'])
        learner.optimiser.load_state_dict(state['training']['optimiser'])
        return learner, float(state['training']['seconds'])

    def _example(self, photo: np.ndarray) -> Example:
        return cut_example(photo, self.scheme, self._seams, np.random.default_rng(self.seed))

    def _point(self, learner: Learner, checks: Sequence[Example], seconds: float) -> None:
        """Add a point to the learning curve."""
        found = [held_out.top1(learner.scores(each), each) for each in checks]
        step, top1 = len(self.losses), float(np.mean(found)) if found else None
        loss = float(np.mean(self.losses[-max(1, step // 10) :]))
        self.curve.append({'step': step, 'seconds': seconds, 'loss': loss, 'top1': top1})

    def _keep(self, learner: Learner, seconds: float) -> None:
        """Write the unfinished checkpoint."""
        if self.part is None:
            return
        state = {'seed': self.seed, 'seconds': seconds, 'losses': self.losses, 'precision': learner.precision}
        state['optimiser'] = learner.optimiser.state_dict()
        checkpoint.save(self.part, self.scheme, self.model, self._seams, self.curve, state)
