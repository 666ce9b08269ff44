"""Student-t densities of windows: fitted by maximum likelihood, and evaluated for all pairs of halves. NumPy only."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

FREEDOM = (30.0, 10.0, 5.0, 3.0, 2.0, 1.3)  # degrees of freedom that are tried
STEPS = 3  # of the fixed point iteration for a scatter matrix
AT_ONCE = 4  # rows whose factors are multiplied before a logarithm is taken
NOISE = 0.05  # variance that is added to every direction


class StudentT(NamedTuple):
    """A multivariate Student-t density, whose precision may leave directions out.

    Attributes:
        mean: float32 (d,).
        precision: float32 (d, d), the inverse of the scatter matrix.
        freedom: degrees of freedom.
        offset: log of the density at the mean.
        rank: dimensions that the precision sees.
    """

    mean: np.ndarray
    precision: np.ndarray
    freedom: float
    offset: float
    rank: int


def fit_density(samples: np.ndarray, basis: np.ndarray | None = None) -> StudentT:
    """Fit a Student-t density by maximum likelihood; the degrees of freedom are the best of ``FREEDOM``.

    Args:
        samples: (count, d).
        basis: (k, d), the directions that are seen; None for all.
    """
    x = samples.astype(np.float64) if basis is None else samples @ basis.T
    mean = x.mean(axis=0)
    best: tuple[float, float, np.ndarray] | None = None
    scatter = np.cov(x.T) + 1e-6 * np.eye(len(mean))  # grey photos have a singular one
    for freedom in FREEDOM:
        scatter, value = _scatter(x - mean, freedom, scatter)
        if best is None or value > best[0]:
            best = value, freedom, scatter
    assert best is not None
    _, freedom, scatter = best
    precision, rank = np.linalg.inv(scatter), len(mean)
    if basis is not None:
        mean, precision = mean @ basis, basis.T @ precision @ basis
    precision = (precision + precision.T) / 2  # exactly symmetric, as files keep one half
    return StudentT(mean.astype(np.float32), precision.astype(np.float32), freedom, offset(scatter, freedom), rank)


def _scatter(x: np.ndarray, freedom: float, scatter: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the scatter matrix of centred samples, and the mean log-likelihood."""
    d = x.shape[1]
    floor = NOISE * np.eye(d)
    for _ in range(STEPS):
        distance = np.einsum('nd,nd->n', x @ np.linalg.inv(scatter), x)
        weight = (freedom + d) / (freedom + distance)
        scatter = (x * weight[:, None]).T @ x / len(x) + floor
    distance = np.einsum('nd,nd->n', x @ np.linalg.inv(scatter), x)
    return scatter, offset(scatter, freedom) - (freedom + d) / 2 * float(np.log1p(distance / freedom).mean())


def offset(scatter: np.ndarray, freedom: float) -> float:
    """Return the log of the density at its mean."""
    d = len(scatter)
    gamma = math.lgamma((freedom + d) / 2) - math.lgamma(freedom / 2)
    return gamma - d / 2 * math.log(freedom * math.pi) - float(np.linalg.slogdet(scatter)[1]) / 2


def log_density(
    a: np.ndarray, b: np.ndarray, density: StudentT, scales: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
    """Sum the log-density of all pairs of half windows along the side.

    Args:
        a: (n, rows, d / 2).
        b: (m, rows, d / 2).
        density: of windows of d values.
        scales: (n, rows) and (m, rows); their mean multiplies the scatter matrix.

    Returns:
        float32 (n, m).
    """
    from .kernels import multiply_in, multiply_scaled  # numba takes a second to load

    half, (mean, precision, freedom, offset, rank) = a.shape[2], density
    a, b = a - mean[:half], b - mean[half:]
    lone_a = np.einsum('nrd,nrd->rn', a @ precision[:half, :half], a)
    lone_b = np.einsum('nrd,nrd->rn', b @ precision[half:, half:], b)
    ahead = a @ (2 * precision[:half, half:])
    total = np.full((len(a), len(b)), offset * a.shape[1], np.float32)
    product, spread = np.ones_like(total), np.ones_like(total if scales else total[:0])
    for row in range(a.shape[1]):
        distance = ahead[:, row] @ b[:, row].T
        if scales is None:
            multiply_in(product, distance, lone_a[row], lone_b[row], np.float32(freedom))
        else:
            means = scales[0][:, row] / 2, scales[1][:, row] / 2
            multiply_scaled(product, spread, distance, lone_a[row], lone_b[row], *means, np.float32(freedom))
        if row % AT_ONCE == AT_ONCE - 1 or row == a.shape[1] - 1:
            total -= (freedom + rank) / 2 * np.log(product)
            product.fill(1)
            if scales is not None:
                total -= rank / 2 * np.log(spread)
                spread.fill(1)
    return total
