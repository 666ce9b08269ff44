"""What encryption adds to a data loader: mmdet's pipelines for COCO with and without it, as ratios in one run.

    python benchmarks/loading.py

The training and test pipelines of configs/peyolos/peyolos-small-mi-p16_8xb1-150e_coco.py
on scikit-image's and scikit-learn's photographs, saved as JPEGs of 640 x 480 with
eight boxes each; one thread. PatchShuffle in PatchMixup's place beside them.
"""

import platform
import random
import tempfile
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from PIL import Image

import hii_mm.register  # noqa: F401
from timing import medians

ROOT = Path(__file__).parent.parent
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
    print(f'{"us an image":32}{"us":>9}{"ratio":>8}')
    with tempfile.TemporaryDirectory() as folder:
        images = photographs(folder)
        for part in ('train', 'test'):
            mixed = cfg[f'{part}_pipeline']
            plain = [step for step in mixed if step['type'] != 'PatchMixup']
            shuffled = [SHUFFLE if step['type'] == 'PatchMixup' else step for step in mixed]
            if part == 'test':  # boxes are loaded after the encryption, to stay in the original frame
                shuffled = [step for step in shuffled if step['type'] != 'LoadAnnotations']
            jobs = {}
            for name, steps in (('plain', plain), ('PatchMixup', mixed), ('PatchShuffle', shuffled)):
                jobs[f'{part}, {name}'] = job(Compose(steps), images)
            times = medians(jobs, rounds=40)
            for name, seconds in times.items():
                micros = seconds / len(images) * 1e6
                print(f'{name:32}{micros:9.0f}{seconds / times[f"{part}, plain"]:8.2f}', flush=True)


def job(pipeline, images):
    """A callable that puts all images through a pipeline, with the same draws in every turn and pipeline."""

    def run():
        random.seed(0)
        np.random.seed(0)
        for image in images:
            pipeline(dict(image))

    return run


if __name__ == '__main__':
    main()
