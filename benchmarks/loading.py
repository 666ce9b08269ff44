"""What encryption adds to a data loader: mmdet's pipelines for COCO with and without it, as ratios in one run.

    python benchmarks/loading.py

The training and test pipelines of configs/peyolos/peyolos-small-mi-p16_8xb1-150e_coco.py
on scikit-image's and scikit-learn's photographs, saved as JPEGs of 640 x 480 with
eight boxes each; one thread. The pipeline alone, and through a DataLoader with
one worker, which hands every pixel to the training process. PatchShuffle in
PatchMixup's place beside them.
"""

import platform
import random
import tempfile
from pathlib import Path

import cv2
import numpy as np
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


def photographs(folder):
    """Save the photographs; ``[results dict, as CocoDataset gives it]``."""
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


def main():
    """Print the table."""
    cv2.setNumThreads(1)
    init_default_scope('mmdet')
    cfg = Config.fromfile(CONFIG)
    print(f'{platform.processor() or platform.machine()}, Python {platform.python_version()}')
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
                times = medians({name: job(data) for name, data in sets.items()}, rounds=20)
                for name, seconds in times.items():
                    micros = seconds / len(images) / REPEATS * 1e6
                    what = f'{part}, {how}, {name}'
                    print(f'{what:44}{micros:9.0f}{seconds / times["plain"]:8.2f}', flush=True)


class Images(Dataset):
    """The photographs ``REPEATS`` times through a pipeline, with the same draws in every turn and pipeline."""

    def __init__(self, pipeline, images):
        self.pipeline, self.images = pipeline, images

    def __len__(self):
        return len(self.images) * REPEATS

    def __getitem__(self, index):
        random.seed(index)
        np.random.seed(index)
        return self.pipeline(dict(self.images[index % len(self.images)]))


def alone(data):
    """A callable that makes every sample in this process."""
    return lambda: [None for index in range(len(data)) if data[index] is None]


def loaded(data):
    """A callable that gets every sample from one worker, as training does."""
    loader = DataLoader(data, num_workers=1, collate_fn=pseudo_collate, persistent_workers=True)
    return lambda: [None for batch in loader if batch is None]


if __name__ == '__main__':
    main()
