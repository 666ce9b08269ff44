"""Train PEViT on shuffled images, test it, and show the results.

Runs tools/train.py and tools/test.py on Fashion-MNIST, or on scikit-learn's
digits where Fashion-MNIST could not be downloaded. Prints a table and writes a
contact sheet: plain | encrypted | prediction.
"""

from __future__ import annotations

import argparse
import json
import pickle
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

CONFIG = 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_{}.py'


def run(script: str, *words: object) -> None:
    """Run one of our tools as a user would, and show its output."""
    command = [sys.executable, '-W', 'ignore', f'tools/{script}.py', *map(str, words)]
    print('\n$', ' '.join(['python', *command[3:]]), flush=True)
    subprocess.run(command, check=True)


def seconds_per_iteration(work_dir: Path) -> float:
    """Return the median time of a training iteration, from the log of the last run."""
    log = max(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return statistics.median(row['time'] for row in rows if 'loss' in row)


def logits_of(model: Any, images: list[np.ndarray]) -> Tensor:
    """Return the logits (N, classes) of a list of (h, w) uint8 images."""
    import numpy as np
    import torch

    stack = [torch.from_numpy(np.stack(images[i : i + 500]))[:, None] for i in range(0, len(images), 500)]
    with torch.no_grad():
        return torch.cat([model(model.data_preprocessor({'inputs': part})['inputs'], mode='tensor') for part in stack])


def contact_sheet(
    path: Path,
    plain: list[np.ndarray],
    encrypted: list[np.ndarray],
    predicted: np.ndarray,
    true: np.ndarray,
    classes: list[str],
    scale: int = 3,
) -> None:
    """Write a PNG with two columns of images: plain | encrypted | prediction."""
    from PIL import Image, ImageDraw

    side, text = plain[0].shape[0] * scale, 190
    columns = 2
    rows = -(-len(plain) // columns)
    cell = (2 * side + text + 24, side + 8)
    sheet = Image.new('RGB', (columns * cell[0], rows * cell[1] + 24), 'white')
    draw = ImageDraw.Draw(sheet)
    for column in range(columns):
        for offset, title in ((4, 'plain'), (side + 12, 'encrypted'), (2 * side + 20, 'prediction (truth)')):
            draw.text((column * cell[0] + offset, 6), title, fill='black')
    for i, pair in enumerate(zip(plain, encrypted)):
        left, top = i // rows * cell[0] + 4, i % rows * cell[1] + 24
        for k, image in enumerate(pair):
            big = Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(big, (left + k * (side + 8), top))
        right = predicted[i] == true[i]
        words = f'{classes[predicted[i]]}\n({classes[true[i]]})'
        draw.text((left + 2 * side + 16, top + side // 2 - 12), words, fill='darkgreen' if right else 'firebrick')
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def main() -> None:
    """Train, test, print the table, write the contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    args = parser.parse_args()
    data = 'fashion-mnist' if Path('data/fashion-mnist/t10k-labels-idx1-ubyte').is_file() else 'digits'
    config, out = CONFIG.format(data), args.work_dir / 'predictions.pkl'
    run('train', config, '--work-dir', args.work_dir)
    checkpoint = (args.work_dir / 'last_checkpoint').read_text().strip()
    run('test', config, checkpoint, '--work-dir', args.work_dir, '--out', out)

    import numpy as np
    import torch

    from hii_mm.encryption import Scheme
    from hii_mm.training.config import read_config

    torch.set_num_threads(1)  # as in training: with more, tiny operators wait for each other on a busy machine

    cfg = read_config(config)
    from mmengine.registry import DATASETS, init_default_scope
    from mmengine.runner import load_checkpoint
    from mmpretrain.models import build_classifier

    init_default_scope(cfg.default_scope)
    model = build_classifier(cfg.model).eval()
    load_checkpoint(model, checkpoint, map_location='cpu', logger='silent')
    dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, pipeline=[]))
    samples = [dataset[i] for i in range(len(dataset))]
    plain = [sample['img'] for sample in samples]
    true = np.array([int(sample['gt_label']) for sample in samples])
    scheme = Scheme(patch_size=cfg.shuffle.patch_size)
    rng = np.random.default_rng(0)
    encrypted = [scheme.plan(image.shape, rng).apply(image) for image in plain]
    before, after = logits_of(model, plain), logits_of(model, encrypted)
    tested = np.array([int(sample['pred_label']) for sample in pickle.loads(out.read_bytes())])

    images_per_second = cfg.train_dataloader.batch_size / seconds_per_iteration(args.work_dir)
    print(f'\n{data}: PEViT-mini, trained on images with shuffled {scheme.patch_size[0]}-pixel patches')
    for name, value in (
        ('accuracy, shuffled test images (tools/test.py)', f'{(tested == true).mean():.2%}'),
        ('accuracy, the same images shuffled once more', f'{(after.argmax(1).numpy() == true).mean():.2%}'),
        ('accuracy, unshuffled test images', f'{(before.argmax(1).numpy() == true).mean():.2%}'),
        ('largest difference of a logit between the two', f'{(before - after).abs().max().item():.1e}'),
        ('training, images/s', f'{images_per_second:.0f}'),
    ):
        print(f'  {name:48} {value:>10}')
    sheet = args.work_dir / 'contact_sheet.png'
    classes, show = dataset.metainfo['classes'], slice(0, 16)
    contact_sheet(sheet, plain[show], encrypted[show], after.argmax(1).numpy()[show], true[show], classes)
    print(f'  contact sheet: {sheet}')


if __name__ == '__main__':
    main()
