"""Compare mmdet's pipelines for COCO with and without encryption, alone and in a data loader.

    python benchmarks/loading.py [--rounds 20] [--json FILE]

The training and test pipelines of configs/peyolos/peyolos-small-mi-p16_8xb1-150e_coco.py
on scikit-image's and scikit-learn's photographs, saved as JPEGs of 640 x 480 with
eight boxes each; one thread. Measured are the pipeline alone, and a DataLoader
with one worker, which passes every pixel to the training process; also with
PatchShuffle in place of PatchMixup.
"""

from __future__ import annotations

import argparse
import platform
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import record
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import hii_mm.register  # noqa: F401
from timing import medians

ROOT, REPEATS = Path(__file__).parent.parent, 8
CONFIG = ROOT / 'configs' / 'peyolos' / 'peyolos-small-mi-p16_8xb1-150e_coco.py'
SHUFFLE = dict(type='PatchShuffle', patch_size=16, remainder='pad')


def photographs(folder: str) -> list[dict[str, Any]]:
    """Save the photographs; return results dicts as CocoDataset makes them."""
    import skimage
    import sklearn.datasets

    sources = sorted((Path(skimage.__file__).parent / 'data').glob('*.jpg'))
    sources += sorted((Path(sklearn.datasets.__file__).parent / 'images').glob('*.jpg'))
    rng, results = np.random.default_rng(0), []
    for i, source in enumerate(sources):
        path = Path(folder) / f'{i}.jpg'
        Image.open(source).convert('RGB').resize((640, 480)).save(path, quality=95)
        corners = rng.integers(0, (440, 280), (8, 2))
        boxes = np.concatenate([corners, corners + rng.integers(30, 200, (8, 2))], 1).tolist()
        instances = [dict(bbox=box, bbox_label=0, ignore_flag=0) for box in boxes]
        results.append(dict(img_id=i, img_path=str(path), height=480, width=640, instances=instances))
    return results


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=20, help='measured runs of each pipeline (%(default)s)')
    record.add_argument(parser)
    args, rows = parser.parse_args(), []
    cv2.setNumThreads(1)
    init_default_scope('mmdet')
    cfg = Config.fromfile(CONFIG)
    machine = f'{platform.processor() or platform.machine()}, Python {platform.python_version()}'
    print(machine)
    print(f'{"us an image":44}{"us":>9}{"ratio":>8}')
    with tempfile.TemporaryDirectory() as folder:
        images = photographs(folder)
        for part in ('train', 'test'):
            mixed = cfg[f'{part}_pipeline']
            plain = [step for step in mixed if step['type'] != 'PatchMixup']
            shuffled = [SHUFFLE if step['type'] == 'PatchMixup' else step for step in mixed]
            if part == 'test':  # boxes are loaded after the encryption, to stay in the original frame
                shuffled = [step for step in shuffled if step['type'] != 'LoadAnnotations']
            kinds = {'plain': plain, 'PatchMixup': mixed, 'PatchShuffle': shuffled}
            sets = {name: Images(Compose(steps), images) for name, steps in kinds.items()}
            for how, job in (('pipeline alone', alone), ('data loader', loaded)):
                times = medians({name: job(data) for name, data in sets.items()}, args.rounds)
                for name, seconds in times.items():
                    micros, ratio = seconds / len(images) / REPEATS * 1e6, seconds / times['plain']
                    what = f'{part}, {how}, {name}'
                    print(f'{what:44}{micros:9.0f}{ratio:8.2f}', flush=True)
                    figures = {'us': round(micros, 1), 'ratio': round(ratio, 4)}
                    rows.append({'part': part, 'how': how, 'pipeline': name, **figures})
    record.write(args.json, rows, machine)


class Images(Dataset):
    """The photographs ``REPEATS`` times through a pipeline, with the same draws in every turn and pipeline."""

    def __init__(self, pipeline: Compose, images: list[dict[str, Any]]) -> None:
        self.pipeline, self.images = pipeline, images

    def __len__(self) -> int:
        return len(self.images) * REPEATS

    def __getitem__(self, index: int) -> Any:
        random.seed(index)
        np.random.seed(index)
        return self.pipeline(dict(self.images[index % len(self.images)]))


def alone(data: Images) -> Callable[[], Any]:
    """Return a function that makes every sample in this process."""
    return lambda: [None for index in range(len(data)) if data[index] is None]


def loaded(data: Images) -> Callable[[], Any]:
    """Return a function that gets every sample from one worker, as training does."""
    loader = DataLoader(data, num_workers=1, collate_fn=pseudo_collate, persistent_workers=True)
    return lambda: [None for batch in loader if batch is None]


if __name__ == '__main__':
    main()
