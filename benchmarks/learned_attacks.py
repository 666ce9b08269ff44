"""The attacks that learn, on photographs that they were not trained on.

    python benchmarks/learned_attacks.py [--steps 500] [--public data/gcompris] [--attacks A,B]

With ``--public`` the networks learn from the photographs of that folder.
Without, the 14 photographs are halved; each half is attacked by networks
trained on the other half and three textures. Either way no figure is of a
photograph seen in training. The stereo pair stays in one half. ``parrot``
learns the digits of scikit-learn, encrypted, and names others. ``unet-inverse``
and ``position-vit`` take a third of the steps, as each of theirs is longer.
"""

import argparse
import os
import tempfile

os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np
import torch

from hii_mm.attacks import Setting, learned_edge, learning, make, parrot, position, unet
from hii_mm.attacks.cases import load_pictures, picture_files
from hii_mm.attacks.metrics import Likeness, Places, Retrieval, classes
from hii_mm.attacks.photos import SCENES, TEXTURES, sample_photos
from hii_mm.attacks.pieces import cut
from hii_mm.encryption import MixupParams, ShuffleParams

FIRST = {'astronaut', 'chelsea', 'coins', 'ihc', 'motorcycle_left', 'motorcycle_right', 'flower'}
SHUFFLED = [[ShuffleParams(16, gap=1)], [ShuffleParams(16, gap=2)], [MixupParams(16, 2), ShuffleParams(8)]]
MIXED = [[MixupParams(16, 2)]]
LEARN = {'learned-edge': learned_edge.train, 'position-vit': position.train, 'unet-inverse': unet.train}
SHARE = {'position-vit': 3, 'unet-inverse': 3}


def pieces_right(attack, setting, plain):
    """[ranked first, direct, neighbour, seconds] of one photo."""
    encrypted, plans = setting.encrypt(plain, np.random.default_rng(1))
    plan, found = plans[-1], attack.recover(encrypted, setting)
    truth = plan.permutation, plan.grid.shape, classes(cut(encrypted, plan.shape))
    score = Places.calculate(found.places, *truth)
    top1 = Retrieval.calculate(found.extra['right'], found.extra['down'], *truth)
    return [top1, score['direct'], score['neighbour'], found.seconds]


def likeness(attack, setting, plain):
    """[PSNR, SSIM, seconds] of one photo."""
    found = attack.recover(setting.encrypt(plain, None)[0], setting)
    score = Likeness.calculate(plain, found.image)
    return [score['psnr'], score['ssim'], found.seconds]


def rounds(folder):
    """``[(photos to attack, photos to learn from)]``, of which no photo is in both."""
    victims = sample_photos(224)
    if folder:
        return [(list(victims.values()), list(load_pictures(picture_files([folder]))[0].values()))]
    public, found = sample_photos(448, [*SCENES, *TEXTURES]), []
    for half in (True, False):
        held = [photo for name, photo in victims.items() if (name in FIRST) == half]
        found.append(
            (held, [photo for name, photo in public.items() if name not in victims or (name in FIRST) != half])
        )
    return found


def table(title, settings, base, learned, measure, args):
    """Print a line a setting and attack; ``base`` learns nothing."""
    print(f'\n| setting | attack | {title} | s an image |\n|{"---|" * (title.count("|") + 4)}')
    for params in settings:
        setting, rows = Setting(params, (224, 224)), {name: [] for name in (base, *learned)}
        for held, seen in rounds(args.public):
            with tempfile.TemporaryDirectory() as folder:
                options = {}
                for name in learned:
                    model, about, _ = LEARN[name](
                        seen, setting, args.steps // SHARE.get(name, 1), say=lambda line: None
                    )
                    options[name] = {'checkpoint': f'{folder}/{name}.pth'}
                    learning.save(options[name]['checkpoint'], name, model, about)
                for name in rows:
                    attack = make(name, **options.get(name, {}))
                    rows[name] += [measure(attack, setting, photo) for photo in held]
        for name, found in rows.items():
            *scores, seconds = np.mean(found, axis=0)
            figures = ' | '.join(f'{score:.3f}' for score in scores)
            print(f'| {setting.name()} | {name} | {figures} | {seconds:.2f} |', flush=True)


def names_right(steps):
    """Print how many of 400 encrypted digits of 32 x 32 the parrot names, chance being one in ten."""
    from sklearn.datasets import load_digits

    digits, labels = load_digits(return_X_y=True)
    pictures = np.kron(digits.reshape(-1, 8, 8) * 15, np.ones((4, 4))).astype(np.uint8)
    labels = [str(label) for label in labels]
    print('\n| setting | attack | digits named |\n|---|---|---|')
    for params in ([ShuffleParams(8)], [ShuffleParams(8, gap=2)], [MixupParams(8, 2)], [ShuffleParams(4)]):
        setting = Setting(params, (32, 32))
        model, about, _ = parrot.train(list(pictures[400:]), setting, labels[400:], steps, say=lambda line: None)
        with tempfile.TemporaryDirectory() as folder:
            learning.save(f'{folder}/parrot.pth', 'parrot', model, about)
            attack, rng = make('parrot', checkpoint=f'{folder}/parrot.pth'), np.random.default_rng(1)
            found = [attack.recover(setting.encrypt(picture, rng)[0], setting) for picture in pictures[:400]]
        right = [answer.extra['labels'][0][0] == label for answer, label in zip(found, labels)]
        print(f'| {setting.name()} | parrot | {np.mean(right):.1%} |', flush=True)


def main():
    """Print up to three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--steps', type=int, default=500)
    parser.add_argument('--public', metavar='FOLDER', help='photographs to learn from, such as data/gcompris')
    parser.add_argument('--attacks', default='learned-edge,position-vit,unet-inverse,parrot', metavar='A,B')
    args = parser.parse_args()
    torch.set_num_threads(1)
    names = args.attacks.split(',')
    pieces = [name for name in names if name in ('learned-edge', 'position-vit')]
    if pieces:
        table('ranked first | direct | neighbour', SHUFFLED, 'jigsaw', pieces, pieces_right, args)
    if 'unet-inverse' in names:
        table('PSNR | SSIM', MIXED, 'mixup-inverse', ['unet-inverse'], likeness, args)
    if 'parrot' in names:
        names_right(args.steps)


if __name__ == '__main__':
    main()
