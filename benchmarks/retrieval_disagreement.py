"""Show the pictures on which photo retrieval and the neighbour score disagree most, and count which one is right.

Two steps, between which a person looks:

    python benchmarks/retrieval_disagreement.py pick data/gcompris/test --gallery data/gcompris/learn --out apart
    python benchmarks/retrieval_disagreement.py count apart --seen 1,4,7 --out docs/data/retrieval_disagreement.json

``pick`` attacks all photographs at RS gap 2 and at RS on MI, one permutation
each, and writes ``sheet.png``: 20 numbered rows of plain | encrypted |
recovered, in random order and without any figure. ``--seen`` names the rows
whose photograph a person recognises. Ten CPU minutes; what was attacked
already is read again.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hii_mm import Scheme
from hii_mm.attacks.attackers import attack_class
from hii_mm.attacks.base import Given
from hii_mm.attacks.evaluation.cases import Case, try_scheme
from hii_mm.attacks.evaluation.gallery import PHOTO, Gallery, PhotoRetrieval
from hii_mm.attacks.evaluation.photos import load_pictures, picture_files
from hii_mm.attacks.evaluation.places import Places
from hii_mm.attacks.solver.pieces import classes, cut, resized

SETTINGS = {'RS gap 2': Scheme(16, gap=2), 'RS on MI': Scheme(16, strategy='both')}
SIDE, ROWS = 224, 20
LEVELS = (0.25, 0.5)  # neighbour scores from which on a photograph is said to come back


def recovered(case: Case, setting: str, attack: str, out: Path) -> tuple[np.ndarray, float]:
    """Return the picture that an attack recovers, (SIDE, SIDE, 3) uint8, and its neighbour score; kept in ``out``."""
    path = out / f'{attack}-{setting.replace(" ", "_")}-{case.name}.npz'
    if not path.is_file():
        found = attack_class(attack)().recover(case.encrypted, case.scheme, Given(plain_shape=case.plain_shape))
        assert found.image is not None and found.places is not None and case.plan and case.plan.shuffle
        shuffle = case.plan.shuffle
        same = classes(cut(np.ascontiguousarray(case.encrypted), shuffle.shape))
        score = Places.of_plan(found.places, found.turns, shuffle, same)['neighbour']
        np.savez_compressed(path, image=resized(found.image, (SIDE, SIDE)), neighbour=score)
    with np.load(path) as file:
        return file['image'], float(file['neighbour'])


def percentiles(values: list[float]) -> np.ndarray:
    """Return the share of the values that each is larger than; ties share the mean."""
    array = np.array(values)
    return (array[:, None] > array).mean(axis=1) + (array[:, None] == array).mean(axis=1) / 2


def measure(setting: str, args: argparse.Namespace, gallery: Gallery) -> list[dict[str, Any]]:
    """Attack all photographs and return a row for each."""
    photos = load_pictures(picture_files(args.photos), SIDE)[0]
    rows: list[dict[str, Any]] = []
    for case in try_scheme(photos, SETTINGS[setting], 1, 0)[0]:
        image, neighbour = recovered(case, setting, args.attack, args.out)
        assert case.plain is not None
        choice = gallery.choice(case.name, case.plain)
        assert choice is not None
        alike = PhotoRetrieval.likeness(choice, image)[PHOTO]
        row: dict[str, Any] = {'setting': setting, 'image': case.name, 'neighbour': neighbour}
        row |= {'photo': int(alike[0] >= alike.max()), 'margin': float(alike[0] - alike[1:].max()), 'size': len(alike)}
        rows.append(row | {'pictures': (case.plain, case.encrypted, image)})
    apart = percentiles([row['margin'] for row in rows]) - percentiles([row['neighbour'] for row in rows])
    return [row | {'apart': float(value)} for row, value in zip(rows, apart)]


def sheet(rows: list[dict[str, Any]]) -> Image.Image:
    """Draw the rows in two columns, each plain | encrypted | recovered with its number."""
    width, height = 3 * (SIDE + 4) + 40, SIDE + 4
    half = (len(rows) + 1) // 2
    canvas = Image.new('RGB', (2 * width, half * height), 'white')
    for number, row in enumerate(rows):
        x, y = (number // half) * width, (number % half) * height
        ImageDraw.Draw(canvas).text((x + 4, y + SIDE // 2), str(number + 1), fill='black', font_size=24)
        for k, picture in enumerate(row['pictures']):
            canvas.paste(Image.fromarray(resized(picture, (SIDE, SIDE))), (x + 40 + k * (SIDE + 4), y))
    return canvas


def pick(args: argparse.Namespace) -> None:
    """Write the sheet, and the figures of its rows."""
    args.out.mkdir(parents=True, exist_ok=True)
    gallery = Gallery(load_pictures(picture_files([*args.photos, *args.gallery]), SIDE)[0])
    rows = [row for setting in SETTINGS for row in measure(setting, args, gallery)]
    worst = sorted(rows, key=lambda row: -abs(row['apart']))[:ROWS]
    worst = [worst[k] for k in np.random.default_rng(0).permutation(len(worst))]
    sheet(worst).save(args.out / 'sheet.png')
    kept = [{key: value for key, value in row.items() if key != 'pictures'} for row in worst]
    whole = {
        setting: {
            'images': sum(row['setting'] == setting for row in rows),
            'neighbour': float(np.mean([row['neighbour'] for row in rows if row['setting'] == setting])),
            'photo': float(np.mean([row['photo'] for row in rows if row['setting'] == setting])),
        }
        for setting in SETTINGS
    }
    (args.out / 'rows.json').write_text(json.dumps({'attack': args.attack, 'all': whole, 'rows': kept}, indent=1))


def count(args: argparse.Namespace) -> None:
    """Write how often each measure agrees with the person."""
    found = json.loads((args.folder / 'rows.json').read_text())
    seen = {int(number) for number in args.seen.split(',') if number}
    rows = [row | {'seen': number in seen} for number, row in enumerate(found['rows'], 1)]
    truth = np.array([row['seen'] for row in rows])
    scores = np.array([row['neighbour'] for row in rows])
    right = {'photo': int((np.array([row['photo'] for row in rows]) == truth).sum())}
    right |= {f'neighbour >= {level}': int(((scores >= level) == truth).sum()) for level in LEVELS}
    right['neighbour, best level in hindsight'] = max(
        int(((scores >= level) == truth).sum()) for level in [*scores, np.inf]
    )
    head = {
        'command': 'python benchmarks/retrieval_disagreement.py pick data/gcompris/test --gallery data/gcompris/learn; '
        'python benchmarks/retrieval_disagreement.py count',
        'date': time.strftime('%Y-%m-%d'),
        'machine': f'{platform.machine()}, Python {platform.python_version()}',
    }
    found = {**head, **found, 'rows': rows, 'seen': int(truth.sum()), 'right': right}
    args.out.write_text(json.dumps(found, indent=1) + '\n')


def main() -> None:
    """Run one of the two steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    first = steps.add_parser('pick')
    first.add_argument('photos', nargs='+', type=Path)
    first.add_argument('--gallery', nargs='*', type=Path, default=[], help='more photographs to choose from')
    first.add_argument('--attack', default='jigsaw')
    first.add_argument('--out', type=Path, required=True)
    first.set_defaults(step=pick)
    second = steps.add_parser('count')
    second.add_argument('folder', type=Path)
    second.add_argument('--seen', required=True, help='numbers of the rows that a person recognises')
    second.add_argument('--out', type=Path, required=True)
    second.set_defaults(step=count)
    args = parser.parse_args()
    args.step(args)


if __name__ == '__main__':
    main()
