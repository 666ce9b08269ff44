"""Images held decoded in one file, in place of 20,000 PNG files that every epoch decodes again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.hooks import Hook
from mmengine.runner import Runner


class HoldImages(Hook):
    """Let a run read its images from memory; its config, log and checkpoints are those of a run that reads files."""

    def before_train(self, runner: Runner) -> None:
        """Replace ``LoadImageFromFile``, the first step of both pipelines."""
        for loop in (runner.train_loop, runner.val_loop):
            dataset = loop.dataloader.dataset
            dataset.pipeline.transforms[0] = LoadHeldImage(dataset.data_root)


class LoadHeldImage(BaseTransform):
    """Load an image of a folder as ``LoadImageFromFile`` does, from the file that :func:`hold` wrote.

    Required Keys:

    - img_path (str), below ``folder``

    Added Keys:

    - img (np.uint8, (H, W, 3), BGR)
    - img_shape, ori_shape (tuple[int, int], (h, w))

    Args:
        folder: of images of one size.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.images, names = hold(Path(folder))
        self.rows = {name: row for row, name in enumerate(names)}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the image; raises KeyError for a file that came later."""
        image = np.array(self.images[self.row(results)])
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def row(self, results: dict[str, Any]) -> int:
        """Return the place of an image among those that are held."""
        return self.rows[os.path.relpath(results['img_path'], self.folder)]


def hold(folder: Path) -> tuple[np.ndarray, list[str]]:
    """Return the images below a folder, memory-mapped uint8 (n, H, W, 3) BGR, and their names.

    Written to FOLDER.npy beside it, unless it is there with the same names in FOLDER.txt.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*.png'))
    images, listed = folder.with_suffix('.npy'), folder.with_suffix('.txt')
    if not (images.is_file() and listed.is_file() and listed.read_text(encoding='utf-8').split('\n') == names):
        decoded = np.stack([mmcv.imread(str(folder / name)) for name in names])
        partial = images.with_suffix(f'.{os.getpid()}')  # another run may write at the same time
        with open(partial, 'wb') as file:
            np.save(file, decoded)
        os.replace(partial, images)
        listed.write_text('\n'.join(names), encoding='utf-8')
    return np.load(images, mmap_mode='r'), names
