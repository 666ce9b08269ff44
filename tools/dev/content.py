"""Measure what faces and documents give away at each preset, and put what scenes do beside it: docs/content.md.

    pip download --no-deps --no-binary face-recognition face-recognition==1.3.0 -d data
    python tools/dataset_converters/gcompris.py
    python tools/dev/content.py [--sets SET ...] [--json docs/data/content.json]

Each picture is encrypted once at each preset, and attacked by ``context`` where a checkpoint is shipped, by
``jigsaw`` for a plain shuffle, by ``mixup-inverse`` for mixing alone. Judges look at the encrypted picture, at the
recovered one, at the one with all pieces at their true places (the ceiling) and, as a control, at another picture.
Results are kept in work_dirs/content, picture by picture; a second call goes on. Figures of scenes are those of
docs/data/audit.json, with the intervals that their numbers of photographs allow. About ten CPU minutes.
"""

from __future__ import annotations

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import content_judges as judges
import content_pictures as pictures
from content_rows import bag_rows, rows_of, scene_rows

from hii_mm import Scheme
from hii_mm.attacks import Given, Recovery
from hii_mm.attacks.attackers import attack_class
from hii_mm.attacks.evaluation.cases import Case, try_scheme
from hii_mm.attacks.evaluation.ceilings import true_picture
from hii_mm.attacks.solver.pieces import resized

ROOT = Path(__file__).parents[2]
OUT = ROOT / 'work_dirs' / 'content'
ATTACKS = {
    'paper-rs': 'jigsaw',
    'paper-mi': 'mixup-inverse',
    'light-v1': 'context',
    'strong-v1': 'context',
    'mixed-v1': 'context',
}
SETS = ('portraits', *(f'letters-{size}' for size in pictures.LETTERS), 'scans', 'small-faces')
Judge = judges.Faces | judges.Texts


def judge_of(name: str) -> Judge:
    """Return the judge of a set, with the set's pictures."""
    if name == 'portraits':
        return judges.Faces(pictures.portraits())
    if name == 'small-faces':
        return judges.Faces(pictures.small_faces())
    if name == 'scans':
        return judges.Texts(pictures.scans(), {})
    return judges.Texts(*pictures.pages(int(name.partition('-')[2])))


def looks(judge: Judge, name: str, case: Case, recover: Callable[..., Recovery]) -> dict[str, Any]:
    """Return ``{look: figures}`` of one picture at one preset, and the CPU seconds of the attack."""
    assert case.plain is not None
    shape, encrypted = case.plain.shape[:2], case.encrypted
    found = recover(encrypted, case.scheme, Given(plain_shape=shape))
    assert found.image is not None
    figures = {
        'encrypted': judge.figures(name, resized(encrypted, shape)) | judge.within(name, encrypted, case.scheme),
        'recovered': judge.figures(name, found.image),
    }
    true = true_picture(case)
    if true is not None:
        figures['true places'] = judge.figures(name, true)
    return figures | {'seconds': round(found.seconds, 2)}


def measure(judge: Judge, folder: Path, preset: str) -> None:
    """Measure what is not measured yet of a set at a preset."""
    scheme, attack = Scheme.preset(preset).with_remainder('crop'), attack_class(ATTACKS[preset])()
    cases, refused = try_scheme(judge.pictures, scheme, repeats=1)
    if refused:
        raise SystemExit(f'content: {refused[0]}')
    for case in cases:
        path = folder / preset / f'{case.name.replace("/", "-")}.json'
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(looks(judge, case.name, case, attack.recover)))
            print(f'{folder.name} {preset} {case.name}: {path.read_text()}', flush=True)


def measure_plain(judge: Judge, folder: Path) -> None:
    """Judge the plain pictures, and the control."""
    for name, picture in judge.pictures.items():
        path = folder / 'plain' / f'{name.replace("/", "-")}.json'
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            found = {'encrypted': judge.figures(name, picture), 'control': judge.control(name)}
            path.write_text(json.dumps(found))


def main() -> int:
    """Measure, and write the json file; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sets', nargs='+', choices=(*SETS, 'none'), default=SETS, metavar='SET', help='(all)')
    parser.add_argument('--presets', nargs='+', choices=ATTACKS, default=list(ATTACKS), metavar='NAME', help='(all)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write the figures, as docs/data/content.json')
    args = parser.parse_args()
    if not pictures.FACES.is_file():
        parser.error(f'{pictures.FACES} is missing: pip download, as the head of this file says')
    for name in args.sets if 'none' not in args.sets else ():
        judge = judge_of(name)
        measure_plain(judge, OUT / name)
        for preset in args.presets:
            measure(judge, OUT / name, preset)
    if args.json:
        rows = rows_of(OUT, SETS, ATTACKS) + scene_rows(ATTACKS) + bag_rows(OUT, ATTACKS)
        head = {
            'command': 'python tools/dev/content.py',
            'date': time.strftime('%Y-%m-%d'),
            'machine': 'one core of an Intel Xeon with AVX-512, no GPU, other jobs beside',
        }
        lines = ',\n'.join('  ' + json.dumps(row) for row in rows)
        args.json.write_text(json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n' + lines + '\n ]\n}\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
