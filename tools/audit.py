"""Run the attacks on public photographs at many settings: the figures of docs/measured_attacks.md.

    python tools/audit.py [--sets SET ...] [--out work_dirs/audit] [--json docs/data/audit.json]        (make audit)

The sets, one after the other; a second call continues where the first stopped:

- scenes: 14 photographs that scikit-image and scikit-learn ship, the middle square resized to 224 x 224, all settings;
- sweep: the same photographs at more settings, attacked by the jigsaw alone;
- gcompris: 107 of GCompris' photographs (tools/dataset_converters/gcompris.py), on which nothing was fitted, 224 x 224,
  all settings, without `bag`, which takes longest (benchmarks/bag.py);
- noise-gcompris: the photographs of gcompris, shuffled with noise;
- small-gcompris: the same in patches of 8 pixels with a gap of 2, and with noise besides;
- tone, tone-gcompris: the first set, and 20 photographs of gcompris, shuffled with tone;
- scenes-448: photographs of the first set at 448 x 448, all settings;
- textures: three photographs of plain texture;
- views: two encrypted crops of each photograph of the first set.

Writes one report for each set and setting to DIR/<set>/<setting>, and prints
one table of what was recovered. With --json also writes the figures that
docs/measured_attacks.md shows. With --images N each set is an even sample of N
photographs. Takes an hour or two on two cores.
"""

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

PHOTOS = Path('data/gcompris')
SETTINGS = {
    'rs-gap-0': dict(strategy='shuffle'),
    'rs-gap-1': dict(strategy='shuffle', gap=1),
    'rs-gap-2': dict(strategy='shuffle', gap=2),
    'rs-gap-4': dict(strategy='shuffle', gap=4),
    'rs-drop-50': dict(strategy='shuffle', drop_ratio=0.5),
    'rs-p32-gap-2': dict(strategy='shuffle', patch_size=32, gap=2),
    'mi': dict(strategy='mixup'),
    'rs-on-mi': dict(strategy='both'),
    'rs-on-mi-gap-1': dict(strategy='both', gap=1),
    'rs-on-mi-p32-grid-4': dict(strategy='both', patch_size=32, grid=4),
}
SWEEP = {
    'rs-orient': dict(strategy='shuffle', orient=True),
    'rs-gap-3': dict(strategy='shuffle', gap=3),
    'rs-drop-25': dict(strategy='shuffle', drop_ratio=0.25),
    'rs-drop-75': dict(strategy='shuffle', drop_ratio=0.75),
    'rs-window-2': dict(strategy='shuffle', window=2),
    'rs-window-4': dict(strategy='shuffle', window=4),
    'rs-window-8': dict(strategy='shuffle', window=8),
}
TONE = {f'rs-gap-{gap}-tone': dict(strategy='shuffle', gap=gap, tone=True) for gap in (0, 1, 2)}

NOISE = {f'rs-gap-2-noise-{noise}': dict(strategy='shuffle', gap=2, noise=noise) for noise in (16, 32)}
SMALL = {
    'rs-p8-gap-2': dict(strategy='shuffle', patch_size=8, gap=2),
    'rs-p8-gap-2-noise-16': dict(strategy='shuffle', patch_size=8, gap=2, noise=16),
}


class Set(NamedTuple):
    """A set of photographs, and what is done to them.

    Attributes:
        side: of the photographs, in pixels.
        settings: keys of ``SETTINGS``.
        attacks: names; None runs the default ones.
        images: number of photographs; None takes all.
    """

    side: int
    settings: tuple[str, ...]
    attacks: tuple[str, ...] | None = None
    images: int | None = None


SETS = {
    'scenes': Set(224, tuple(SETTINGS)),
    'sweep': Set(224, tuple(SWEEP), ('jigsaw',)),
    'gcompris': Set(224, tuple(SETTINGS), ('identity', 'jigsaw', 'context', 'mixup-inverse')),
    'noise-gcompris': Set(224, tuple(NOISE), ('identity', 'jigsaw', 'context', 'linkage')),
    'small-gcompris': Set(224, tuple(SMALL), ('identity', 'jigsaw', 'context', 'linkage')),
    'tone': Set(224, tuple(TONE), ('identity', 'jigsaw', 'context', 'linkage')),
    'tone-gcompris': Set(224, tuple(TONE), ('identity', 'jigsaw', 'context', 'linkage'), images=20),
    'scenes-448': Set(448, tuple(SETTINGS), images=3),
    'textures': Set(224, ('rs-gap-0', 'rs-gap-1', 'rs-gap-2', 'rs-on-mi')),
    'views': Set(224, ('rs-gap-1', 'rs-gap-2', 'rs-gap-4'), ('jigsaw', 'multi-view')),
}


def parse_args():
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sets', nargs='+', choices=SETS, default=list(SETS), metavar='SET', help='(all)')
    parser.add_argument(
        '--settings',
        nargs='+',
        choices=[*SETTINGS, *SWEEP, *TONE, *NOISE, *SMALL],
        metavar='NAME',
        help='(those of the sets)',
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/audit'), metavar='DIR', help='(%(default)s)')
    parser.add_argument('--images', type=int, metavar='N', help='photographs of each set (all)')
    parser.add_argument('--jobs', type=int, metavar='N', help='processes (one for each core)')
    parser.add_argument('--json', metavar='FILE', help='also write the figures for the tables in docs/')
    return parser.parse_args()


def photographs(name, count, out):
    """Return the files of a set's photographs, none if they are not there, and photographs that attackers may know."""
    public = PHOTOS if PHOTOS.is_dir() else ()
    if name.endswith('gcompris'):
        files, public = sorted((PHOTOS / 'test').glob('*.webp')), PHOTOS / 'learn'
    else:
        from hii_mm.attacks.evaluation.photos import SCENES, TEXTURES

        files = sorted(saved(TEXTURES if name == 'textures' else SCENES, SETS[name].side, out))
    if count is not None and count < len(files):
        files = [files[round(k * (len(files) - 1) / max(1, count - 1))] for k in range(count)]
    return files, public


def saved(names, side, out):
    """Return the paths of photographs that packages ship, as PNG files of a size."""
    from PIL import Image

    from hii_mm.attacks.evaluation.photos import sample_photos

    folder = out / f'photos-{side}'
    folder.mkdir(parents=True, exist_ok=True)
    for stem, photo in sample_photos(side, names).items():
        path = folder / f'{stem}.png'
        if not path.is_file():
            Image.fromarray(photo).save(path)
        yield path


def run(files, public, chosen, setting, out, args):
    """Attack one setting, and return the report."""
    from tqdm import tqdm

    from hii_mm import Scheme, attack

    scheme = Scheme(**{'patch_size': 16, 'remainder': 'crop', **(SETTINGS | SWEEP | TONE | NOISE | SMALL)[setting]})
    with tqdm(desc=f'{out.parent.name} {setting}', disable=None) as bar:

        def show(done, total, note=''):
            bar.total = total
            bar.update(done - bar.n)

        return attack(
            files,
            scheme,
            attacks=chosen.attacks,
            out=out,
            size=chosen.side,
            public=public,
            limit=len(files),
            jobs=args.jobs,
            progress=show,
            about={'command': shlex.join(['python', *sys.argv])},
        )


def write_figures(path, reports):
    """Collect the figures of all reports into the json file of the documentation's tables."""
    collect = Path(__file__).parent / 'docs' / 'collect.py'
    words = [f'{name}={report}' for name, report in reports]
    subprocess.run([sys.executable, collect, *words, '--out', path, '--command', 'make audit'], check=True)


def main():
    """Attack everything; return the exit code."""
    args = parse_args()
    from hii_mm import HiiError
    from hii_mm.attacks.report.table import summary_table

    start, tables, reports = time.monotonic(), [], []
    for name in args.sets:
        chosen = SETS[name]
        files, public = photographs(name, args.images or chosen.images, args.out)
        if not files:
            print(f'audit: {name} is left out: run tools/dataset_converters/gcompris.py first', file=sys.stderr)
            continue
        for setting in chosen.settings:
            if args.settings and setting not in args.settings:
                continue
            try:
                report = run(files, public, chosen, setting, args.out / name / setting, args)
            except HiiError as error:
                print(f'audit: {name}, {setting}: {error}', file=sys.stderr)
                return error.exit_code
            if report.interrupted:
                return 130
            reports.append((name, args.out / name / setting / 'report.json'))
            tables += report.data['settings']
            print(f'{name} {setting}: {report.data["verdict"]}', flush=True)
    table = summary_table({'settings': tables})
    (args.out / 'summary.md').write_text(table + '\n')
    if args.json:
        write_figures(args.json, reports)
    print(f'{table}\n\n{time.monotonic() - start:.0f} s; reports in {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
