"""learned-edge against the plain jigsaw on photographs that it was not trained on.

    python benchmarks/learned_edge.py [--steps 500]

The 14 photographs are halved; each half is attacked by a network trained on
the other half and three textures, so no figure is of a photograph seen in
training. The stereo pair stays in one half.
"""

import argparse
import os
import tempfile

os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np
import torch

from hii_mm.attacks import Setting, learned_edge, learning, make
from hii_mm.attacks.metrics import Places, Retrieval, classes
from hii_mm.attacks.photos import SCENES, TEXTURES, sample_photos
from hii_mm.attacks.pieces import cut
from hii_mm.encryption import MixupParams, ShuffleParams

FIRST = {'astronaut', 'chelsea', 'coins', 'ihc', 'motorcycle_left', 'motorcycle_right', 'flower'}
SETTINGS = [[ShuffleParams(16, gap=1)], [ShuffleParams(16, gap=2)], [MixupParams(16, 2), ShuffleParams(8)]]


def measure(name, options, setting, photos):
    """[direct, neighbour, top1, seconds] of each photo."""
    rows = []
    for plain in photos:
        encrypted, plans = setting.encrypt(plain, np.random.default_rng(1))
        plan, attack = plans[-1], make(name, **options)
        found = attack.recover(encrypted, setting)
        truth = plan.permutation, plan.grid.shape, classes(cut(encrypted, plan.shape))
        score = Places.calculate(found.places, *truth)
        top1 = Retrieval.calculate(found.extra['right'], found.extra['down'], *truth)
        rows.append([score['direct'], score['neighbour'], top1, found.seconds])
    return rows


def main():
    """Print a line a setting and attack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--steps', type=int, default=500)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    victims, public = sample_photos(224), sample_photos(448, [*SCENES, *TEXTURES])
    for params in SETTINGS:
        setting, rows = Setting(params, (224, 224)), {'jigsaw': [], 'learned-edge': []}
        for half in (True, False):
            held = [photo for name, photo in victims.items() if (name in FIRST) == half]
            seen = [photo for name, photo in public.items() if name not in victims or (name in FIRST) != half]
            model, about, _ = learned_edge.train(seen, setting, steps, say=lambda line: None)
            with tempfile.TemporaryDirectory() as folder:
                learning.save(f'{folder}/edge.pth', 'learned-edge', model, about)
                options = {'jigsaw': {}, 'learned-edge': {'checkpoint': f'{folder}/edge.pth'}}
                for name in rows:
                    rows[name] += measure(name, options[name], setting, held)
        for name, found in rows.items():
            direct, neighbour, top1, seconds = np.mean(found, axis=0)
            print(
                f'| {setting.name()} | {name} | {top1:.3f} | {direct:.3f} | {neighbour:.3f} | {seconds:.2f} |',
                flush=True,
            )


if __name__ == '__main__':
    main()
