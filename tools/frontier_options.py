"""What was tried on the owner's side and is no option of a scheme: other pieces, which a plain RS then shuffles."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS
from PIL import Image

from hii_mm.files import write_atomically

P = 16  # pixels of a side of a patch
WEIGHTS = (0.4, 0.3, 0.2, 0.1)  # of the sub-patches of a patch: above left, above right, below left, below right
Cut = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def anywhere(patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return 12 x 12 pixels from a random place of each patch: gaps of 0 to 4, other ones on each side."""
    cores = np.lib.stride_tricks.sliding_window_view(patches, (12, 12), axis=(2, 3))  # (rows, cols, 5, 5, C, 12, 12)
    rows, cols = np.indices(patches.shape[:2])
    down, right = rng.integers(0, 5, (2, *patches.shape[:2]))
    return cores[rows, cols, down, right].transpose(0, 1, 3, 4, 2)


def middle(patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the middle 12 x 12 pixels of each patch: a gap of 2, to compare the others with."""
    return patches[:, :, 2:14, 2:14]


def unequal(patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the sub-patches of each patch, mixed with fixed weights that are not equal."""
    return _mixed(patches, WEIGHTS)


def two_mixtures(patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return two mixtures of each patch side by side, 8 x 16 pixels: fixed weights, and these reversed."""
    return np.concatenate([_mixed(patches, WEIGHTS), _mixed(patches, WEIGHTS[::-1])], axis=3)


def mixed_or_cropped(patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return 8 x 8 pixels of each patch: a random half of the patches is mixed, of the others the middle is kept."""
    chosen = rng.permuted(np.arange(patches.shape[0] * patches.shape[1]) % 2 == 0).reshape(patches.shape[:2])
    return np.where(chosen[..., None, None, None], _mixed(patches, (0.25,) * 4), patches[:, :, 4:12, 4:12])


def _mixed(patches: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    parts = patches[:, :, :8, :8], patches[:, :, :8, 8:], patches[:, :, 8:, :8], patches[:, :, 8:, 8:]
    total = sum(weight * part.astype(np.float32) for weight, part in zip(weights, parts))
    return (total + 0.5).astype(np.uint8)


CUTS: dict[str, Cut] = {cut.__name__: cut for cut in (anywhere, middle, unequal, two_mixtures, mixed_or_cropped)}


def cut(image: np.ndarray, option: str, rng: np.random.Generator) -> np.ndarray:
    """Return the pieces that an option makes of the patches of an image, uint8 (H, W, C), each at its place."""
    rows, cols = image.shape[0] // P, image.shape[1] // P
    patches = image.reshape(rows, P, cols, P, -1).transpose(0, 2, 1, 3, 4)
    pieces = CUTS[option](patches, rng)
    h, w = pieces.shape[2:4]
    return np.ascontiguousarray(pieces.transpose(0, 2, 1, 3, 4).reshape(rows * h, cols * w, -1))


@TRANSFORMS.register_module()
class CutPieces(BaseTransform):
    """Replace 'img' by the pieces of an option, cut anew for each sample."""

    def __init__(self, option: str) -> None:
        self.option = option

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cut, with NumPy's global random numbers, which mmengine seeds."""
        rng = np.random.default_rng(np.random.randint(2**31))
        results['img'] = cut(results['img'], self.option, rng)
        results['img_shape'] = results['img'].shape[:2]
        return results


def cut_files(files: Sequence[Path], data: Path, option: str, folder: Path) -> list[Path]:
    """Write the pieces of pictures below ``data`` to the same places below a folder; return the paths."""
    written = []
    for path in files:
        name = path.relative_to(data)
        target = folder / name
        written.append(target)
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as picture:
                rng = np.random.default_rng(zlib.crc32(name.as_posix().encode()))
                pieces = cut(np.array(picture.convert('RGB')), option, rng)
            content = io.BytesIO()
            Image.fromarray(pieces).save(content, 'PNG')
            write_atomically(target, content.getvalue())
    return written
