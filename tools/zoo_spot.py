"""Load the weights of the zoo and compare what they answer with the figures of their rows."""

from __future__ import annotations

import contextlib
import io
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from zoo_add import label_of, label_of_config
from zoo_rows import ROOT, Row

from hii_mm.encryption import Scheme

SPOTS = {  # test images and their labels, by the data of a row
    'Fashion-MNIST': 'zoo/spot/fashion-mnist.npz',  # the first 200 (MIT licence)
    'FashionScene': 'zoo/spot/fashion-scene.webp',  # 200 in one sheet (tools/dev/spot_scene.py)
}
SHEET_SIDE = 128  # pixels of an image of a sheet
Z = 2.576  # of an interval that holds 99 %
DETECTION, NEAR = 'data/fashion-det', 1.0  # points of AP: patches are shuffled anew in each run


def spot_problems(row: Row, root: Path = ROOT) -> Iterator[str]:
    """Yield what is wrong with the weights of a row; ``'not checked: ...'`` where data are missing.

    Raises:
        HiiError: a config or a checkpoint that cannot be read.
    """
    from mmengine.registry import MODELS

    from hii_mm.training.checkpoints import read_checkpoint, scheme_of_meta
    from hii_mm.training.config import read_config

    cfg = read_config(str(root / row.config))
    found = read_checkpoint(root / str(row.weights))
    scheme, told = scheme_of_meta(found['meta']), row.metadata['Protection']
    of_config = told if 'encrypted-' in row.config else label_of_config(cfg)
    if not told == label_of(scheme) == of_config:
        yield f'Protection is {told!r}, the weights say {label_of(scheme)!r}, the config says {of_config!r}'
    with contextlib.redirect_stdout(io.StringIO()):
        cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
        from mmengine.registry import DefaultScope

        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            model = MODELS.build(cfg.model).eval()
    lacks, extra = model.load_state_dict(found['state_dict'], strict=False)
    if lacks or extra:
        yield f'the weights lack {lacks[:3]} and have {extra[:3]} beyond the model of the config'
    elif 'Top 1 Accuracy' in row.metrics:
        yield from _accuracy_problems(row, model, scheme, root)
    else:
        yield from _detector_problems(row, root)


def accuracy(model: Any, scheme: Scheme | None, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the accuracy of a classifier in percent on images, which are encrypted first.

    Args:
        model: with a data_preprocessor, as mmpretrain's.
        scheme: None is plain.
        images: uint8, (N, h, w) or (N, h, w, 3) BGR.
        labels: int (N,).
    """
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    seen = np.stack([scheme.plan(image.shape, rng).apply(image) if scheme else image for image in images])
    inputs = torch.from_numpy(seen)
    inputs = inputs[:, None] if seen.ndim == 3 else inputs.permute(0, 3, 1, 2)
    batch = model.data_preprocessor({'inputs': inputs})['inputs']
    with torch.no_grad():
        said = model(batch, mode='tensor').argmax(1).numpy()
    return float(100 * (said == labels).mean())


def spot_images(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the images of a file of :data:`SPOTS`, uint8 (N, h, w) or (N, h, w, 3) BGR, and their labels.

    The labels of a sheet are in the text file beside it, one for each image, row by row.
    """
    if path.suffix == '.npz':
        with np.load(path) as data:
            return data['images'], data['labels']
    with Image.open(path) as opened:
        sheet = np.asarray(opened.convert('RGB'))[..., ::-1]
    down, across = (length // SHEET_SIDE for length in sheet.shape[:2])
    tiles = sheet.reshape(down, SHEET_SIDE, across, SHEET_SIDE, 3).swapaxes(1, 2)
    labels = path.with_suffix('.txt').read_text(encoding='utf-8').split()
    return tiles.reshape(-1, SHEET_SIDE, SHEET_SIDE, 3), np.array(labels, int)


def interval(percent: float, count: int) -> tuple[float, float]:
    """Return the 99 % interval of the accuracy on ``count`` images where that on all is ``percent``.

    >>> [round(end, 1) for end in interval(80.0, 200)]
    [72.7, 87.3]
    """
    share = percent / 100
    half = 100 * Z * math.sqrt(share * (1 - share) / count)
    return percent - half, percent + half


def _accuracy_problems(row: Row, model: Any, scheme: Scheme | None, root: Path) -> Iterator[str]:
    spot = SPOTS[row.metadata['Training Data'].partition(',')[0]]
    if not (root / spot).is_file():
        yield f'not checked: {spot} is not here'
        return
    images, labels = spot_images(root / spot)
    got, stated = accuracy(model, scheme, images, labels), row.metrics['Top 1 Accuracy']
    low, high = interval(stated, len(labels))
    if not low <= got <= high:
        yield f'top-1 is {got:.1f} on {len(labels)} test images; {low:.1f} to {high:.1f} were expected of {stated:.2f}'


def _detector_problems(row: Row, root: Path) -> Iterator[str]:
    """Test a detector on all validation pictures: the AP of a part of them says little of that of all."""
    if not (root / DETECTION / 'annotations' / 'val.json').is_file():
        yield f'not checked: {DETECTION} is not here; python tools/dataset_converters/fashion_det.py makes it'
        return
    words = ['tools/test.py', row.config, str(row.weights), '--cfg-options', 'test_dataloader.num_workers=0']
    done = subprocess.run([sys.executable, '-W', 'ignore', *words], cwd=root, capture_output=True, text=True)
    found = re.findall(r'coco/bbox_mAP: ([\d.]+)', done.stdout + done.stderr)
    if not found:
        yield f'tools/test.py gave no AP: {done.stderr.strip().splitlines()[-1:]}'
    elif abs(100 * float(found[-1]) - row.metrics['box AP']) > NEAR:
        yield f'AP is {100 * float(found[-1]):.1f}, the row says {row.metrics["box AP"]}'
