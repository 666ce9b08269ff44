"""A classifier of bags of pieces, and its file. NumPy and SciPy."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...encryption import Scheme
from ...errors import CheckpointError
from ...files import StrPath, write_atomically
from . import logistic
from .grids import place_shape
from .histograms import bag_of
from .pieces import as_rgb, cut


class Model(NamedTuple):
    """A classifier of bags.

    Attributes:
        setting: label of the scheme that it was trained at.
        labels: of the classes.
        mean, scale: float64 (d,), which features are shifted and divided by.
        weights: float64 (d + 1, classes).
    """

    setting: str
    labels: Sequence[str]
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray

    def chances(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of each class: float64 (n, classes)."""
        return logistic.chances((features - self.mean) / self.scale, self.weights)


def write(path: StrPath, model: Model) -> None:
    """Write a classifier as an npz of plain arrays."""
    content = io.BytesIO()
    np.savez(
        content,
        attack=np.array('bag'),
        setting=np.array(model.setting),
        labels=np.array(model.labels),
        mean=model.mean,
        scale=model.scale,
        weights=model.weights,
    )
    write_atomically(path, content.getvalue())


def read(path: StrPath, scheme: Scheme) -> Model:
    """Return the classifier of a checkpoint.

    Raises:
        CheckpointError: another kind of file, or one that was trained at another scheme.
        OSError: it cannot be read.
    """
    foreign = f'{path} is not a checkpoint that hii-mm attack-train bag wrote'
    try:
        with np.load(path, allow_pickle=False) as file:
            kind, parts = str(file['attack']), {name: file[name] for name in Model._fields}
    except OSError:
        raise
    except Exception as error:  # NumPy raises almost anything for a file of another kind
        raise CheckpointError(f'{foreign} ({type(error).__name__})') from None
    labels = [str(name) for name in parts['labels'].ravel()]
    model = Model(str(parts['setting']), labels, parts['mean'], parts['scale'], parts['weights'])
    if kind != 'bag' or model.weights.shape != (len(model.mean) + 1, len(model.labels)):
        raise CheckpointError(foreign)
    if model.setting != scheme.label:
        raise CheckpointError(f'{path} was trained at {model.setting}, and this scheme is {scheme.label}')
    return model


def features(image: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Return the histograms of the pieces of an encrypted image: float32 (d,)."""
    return bag_of(pieces_of(image, scheme), bool(scheme.shuffle and scheme.shuffle.orient))


def pieces_of(image: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Return the pieces of an encrypted image, (n, h, w, 3) float32 in [0, 255], row by row."""
    return cut(as_rgb(image), place_shape(scheme, image.shape))
