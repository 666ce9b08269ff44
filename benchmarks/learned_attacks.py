"""Measure the attacks that learn, on photographs that they were not trained on.

    python benchmarks/learned_attacks.py [--steps 500] [--public data/gcompris] [--attacks A,B] [--json FILE]

With ``--public`` the networks learn from the photographs of that folder.
Without, the 14 photographs are halved; each half is attacked by networks
trained on the other half and three textures. Either way no figure is of a
photograph seen in training. The stereo pair stays in one half. ``parrot``
learns the digits of scikit-learn, encrypted, and names others. ``unet-inverse``
and ``position-vit`` take a third of the steps, as each of theirs is longer.
"""

import argparse
import os
import platform
import tempfile

os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np
import record
import torch

from hii_mm import Scheme
from hii_mm.attacks import Given, make
from hii_mm.attacks.attackers import attack_class
from hii_mm.attacks.evaluation.likeness import Likeness
from hii_mm.attacks.evaluation.photos import SCENES, TEXTURES, load_pictures, picture_files, sample_photos
from hii_mm.attacks.evaluation.places import Places
from hii_mm.attacks.evaluation.retrieval import Retrieval
from hii_mm.attacks.solver.pieces import classes, cut

FIRST = {'astronaut', 'chelsea', 'coins', 'ihc', 'motorcycle_left', 'motorcycle_right', 'flower'}
SHUFFLED = [
    Scheme(16, gap=1),
    Scheme(16, gap=2),
    Scheme(16, strategy='both'),
]  # none is attacked by a shipped checkpoint here
MIXED = [Scheme(16, strategy='mixup')]
SHARE = {'position-vit': 3, 'unet-inverse': 3}
DIGITS = [Scheme(8), Scheme(8, gap=2), Scheme(8, strategy='mixup'), Scheme(4)]
HELD = 400  # digits that are attacked


def pieces_right(attack, scheme, plain):
    """Return the figures of the pieces of one photo, and the seconds."""
    plan = scheme.plan(plain.shape, np.random.default_rng(1))
    encrypted, shuffle = plan.apply(plain), plan.shuffle
    found = attack.recover(encrypted, scheme, Given(plain_shape=plain.shape[:2]))
    truth = shuffle.permutation, shuffle.grid.shape, classes(cut(encrypted, shuffle.shape))
    score = Places.calculate(found.places, *truth)
    top1 = Retrieval.calculate(*found.scores, *truth)
    return {'top1': top1, 'direct': score['direct'], 'neighbour': score['neighbour']}, found.seconds


def likeness(attack, scheme, plain):
    """Return PSNR and SSIM of one photo, and the seconds."""
    encrypted = scheme.plan(plain.shape).apply(plain)
    found = attack.recover(encrypted, scheme, Given(plain_shape=plain.shape[:2]))
    return Likeness.calculate(plain, found.image), found.seconds


def rounds(folder):
    """Return ``[(photos to attack, photos to learn from)]``; no photo is in both."""
    victims = sample_photos(224)
    if folder:
        return [(list(victims.values()), list(load_pictures(picture_files([folder]))[0].values()))]
    public, found = sample_photos(448, [*SCENES, *TEXTURES]), []
    for half in (True, False):
        held = [photo for name, photo in victims.items() if (name in FIRST) == half]
        seen = [photo for name, photo in public.items() if name not in victims or (name in FIRST) != half]
        found.append((held, seen))
    return found


def trained(name, scheme, shape, photos, labels, steps, folder):
    """Return an attack that was trained on photos."""
    trainer, path = attack_class(name).trainer(scheme, shape, 0), f'{folder}/{name}.pth'
    trainer.train(photos, labels, steps)
    trainer.save(path)
    return make(name, checkpoint=path)


def table(schemes, base, learned, measure, args):
    """Print a line for each scheme and attack, and return the rows; ``base`` learns nothing."""
    rows = []
    for scheme in schemes:
        found = {name: [] for name in (base, *learned)}
        for held, seen in rounds(args.public):
            with tempfile.TemporaryDirectory() as folder:
                for name in found:
                    steps = args.steps // SHARE.get(name, 1)
                    learns = name != base
                    attack = trained(name, scheme, (224, 224), seen, None, steps, folder) if learns else make(name)
                    found[name] += [measure(attack, scheme, photo) for photo in held]
        for name, measured in found.items():
            means = {metric: float(np.mean([score[metric] for score, _ in measured])) for metric in measured[0][0]}
            rows.append(row(scheme, name, means, float(np.mean([seconds for _, seconds in measured]))))
    return rows


def row(scheme, attack, means, seconds=None):
    """Print one line, and return it for the json file."""
    words = [f'{metric} {mean:.3f}' for metric, mean in means.items()]
    words += [] if seconds is None else [f'{seconds:.2f} s an image']
    print(f'{scheme.label}: {attack}: {", ".join(words)}', flush=True)
    metrics = {metric: {'mean': round(mean, 3)} for metric, mean in means.items()}
    timed = {} if seconds is None else {'seconds': round(seconds, 2)}
    return {'setting': scheme.label, 'attack': attack, 'metrics': metrics, **timed}


def names_right(steps):
    """Print how many of 400 encrypted digits of 32 x 32 the parrot names, chance being one in ten; return the rows."""
    from sklearn.datasets import load_digits

    digits, labels = load_digits(return_X_y=True)
    pictures = np.kron(digits.reshape(-1, 8, 8) * 15, np.ones((4, 4))).astype(np.uint8)
    labels = [str(label) for label in labels]
    rows = []
    for scheme in DIGITS:
        with tempfile.TemporaryDirectory() as folder:
            attack = trained('parrot', scheme, (32, 32), list(pictures[HELD:]), labels[HELD:], steps, folder)
            rng = np.random.default_rng(1)
            found = [attack.recover(scheme.plan(each.shape, rng).apply(each), scheme) for each in pictures[:HELD]]
        right = [answer.facts['labels'][0][0] == label for answer, label in zip(found, labels)]
        rows.append(row(scheme, 'parrot', {'labels': float(np.mean(right))}))
    return rows


def main():
    """Print up to three tables; write the figures if asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--steps', type=int, default=500)
    parser.add_argument('--public', metavar='FOLDER', help='photographs to learn from, such as data/gcompris')
    parser.add_argument('--attacks', default='context,position-vit,unet-inverse,parrot', metavar='A,B')
    record.add_argument(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    names, rows = args.attacks.split(','), []
    pieces = [name for name in names if name in ('context', 'position-vit')]
    if pieces:
        rows += table(SHUFFLED, 'jigsaw', pieces, pieces_right, args)
    if 'unet-inverse' in names:
        rows += table(MIXED, 'mixup-inverse', ['unet-inverse'], likeness, args)
    if 'parrot' in names:
        rows += names_right(args.steps)
    record.write(
        args.json, rows, f'{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}'
    )


if __name__ == '__main__':
    main()
