"""Loops over all pairs of pieces, compiled by numba: they read and write each pair once."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def root_distance(a, b):  # type: ignore[no-untyped-def]
    """Return float32 (n, m): sum over k of the roots of absolute differences of float32 a (n, k) and b (k, m)."""
    total = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for i in range(a.shape[0]):
        line = total[i]
        for k in range(a.shape[1]):
            own, other = a[i, k], b[k]
            for j in range(len(line)):
                line[j] += np.sqrt(np.abs(own - other[j]))
    return total


@njit(cache=True)
def multiply_in(product, distance, lone_a, lone_b, freedom):  # type: ignore[no-untyped-def]
    """Multiply float32 (n, m) by 1 + max(0, distance + lone_a + lone_b) / freedom, in place.

    Args:
        product: float32 (n, m), changed.
        distance: float32 (n, m).
        lone_a: float32 (n,).
        lone_b: float32 (m,).
        freedom: float32.
    """
    share = np.float32(1) / freedom
    for i in range(product.shape[0]):
        line, far, own = product[i], distance[i], lone_a[i]
        for j in range(len(line)):
            line[j] *= np.float32(1) + max(np.float32(0), far[j] + own + lone_b[j]) * share


@njit(cache=True)
def multiply_scaled(product, spread, distance, lone_a, lone_b, scale_a, scale_b, freedom):  # type: ignore[no-untyped-def]
    """As :func:`multiply_in`, the distance divided by a scale; multiply float32 (n, m) ``spread`` by the scale too.

    Args:
        product: as above.
        spread: float32 (n, m), changed.
        distance: as above.
        lone_a: as above.
        lone_b: as above.
        scale_a: float32 (n,); a scale is the sum of one of each.
        scale_b: float32 (m,).
        freedom: as above.
    """
    for i in range(product.shape[0]):
        line, far, own, wide, half = product[i], distance[i], lone_a[i], spread[i], scale_a[i]
        for j in range(len(line)):
            scale = half + scale_b[j]
            line[j] *= np.float32(1) + max(np.float32(0), far[j] + own + lone_b[j]) / (scale * freedom)
            wide[j] *= scale
