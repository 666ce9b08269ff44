"""Keep examples for some steps, as making them takes as long as learning from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .examples import Example, mirrored

SIZE = 500  # examples that are kept; more become available with each step until then
RENEWAL = 3  # afterwards one is replaced every so many steps


class Pool:
    """Examples of a training, made when they are first needed.

    The example of a step depends on the seed and the step alone, whatever was asked for before.

    Args:
        make: makes an example from a source of random choices.
        seed: of all choices.
    """

    def __init__(self, make: Callable[[np.random.Generator], Example], seed: int) -> None:
        self.make, self.seed = make, seed
        self.slots: dict[int, tuple[int, Example]] = {}

    def at(self, step: int) -> Example:
        """Return the example of a step, mirrored or transposed at random."""
        rng = np.random.default_rng([self.seed, 1, step])
        slot, flips = int(rng.integers(min(step + 1, SIZE))), int(rng.integers(8))
        replaced = max(0, (step - SIZE) // RENEWAL)  # slot after slot, round after round
        number = slot + SIZE * ((replaced - slot + SIZE - 1) // SIZE)
        if slot not in self.slots or self.slots[slot][0] != number:
            self.slots[slot] = number, self.make(np.random.default_rng([self.seed, 2, number]))
        return mirrored(self.slots[slot][1], flips)
