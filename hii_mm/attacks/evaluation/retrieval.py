"""Top-1 retrieval of neighbours, independent of the solver."""

from __future__ import annotations

import numpy as np

from .places import truth_grid


class Retrieval:
    """Share of the true neighbours that the scores of an attack rank first."""

    @staticmethod
    def calculate(
        right: np.ndarray,
        down: np.ndarray,
        permutation: np.ndarray,
        plain_grid: tuple[int, int],
        same: np.ndarray | None = None,
    ) -> float:
        """Return the mean over both directions and both sides of each seam, in [0, 1]; NaN without seams.

        Args:
            right: (n, n) scores that piece j is right of piece i.
            down: (n, n) scores that piece j is below piece i.
            permutation: int (n,), as in :meth:`.places.Places.calculate`.
            plain_grid: (rows, columns), as there.
            same: int (n,) or None, as there.
        """
        index = np.arange(len(permutation))
        truth = truth_grid(index, permutation, plain_grid)
        label = index if same is None else np.asarray(same)
        hits = []
        for scores, one, two in ((right, np.s_[:, :-1], np.s_[:, 1:]), (down, np.s_[:-1], np.s_[1:])):
            a, b = truth[one].ravel(), truth[two].ravel()
            a, b = a[(a >= 0) & (b >= 0)], b[(a >= 0) & (b >= 0)]
            hits += [label[scores[a].argmax(axis=1)] == label[b], label[scores[:, b].argmax(axis=0)] == label[a]]
        found = np.concatenate(hits)
        return float(found.mean()) if len(found) else float('nan')
