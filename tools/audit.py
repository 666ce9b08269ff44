"""Run the default attacks on public photographs with four schemes.

    python tools/audit.py [--out work_dirs/audit] [--images N] [--json docs/data/audit.json]        (make audit)

Writes the photographs to DIR/photos and the reports to DIR/<scheme>, and prints
one table of what was recovered.
With --json also writes the figures that docs/measured_attacks.md shows. The
photographs are those that scikit-image and scikit-learn ship; nothing is
downloaded.
"""

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

SCHEMES = {
    'rs-gap-0': dict(strategy='shuffle'),
    'rs-gap-2': dict(strategy='shuffle', gap=2),
    'mi': dict(strategy='mixup'),
    'rs-on-mi': dict(strategy='both'),
}


def parse_args():
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='work_dirs/audit', metavar='DIR', help='folder of the reports (%(default)s)')
    parser.add_argument('--images', type=int, default=14, metavar='N', help='photographs to attack (%(default)s)')
    parser.add_argument('--json', metavar='FILE', help='also write the figures for the tables in docs/')
    return parser.parse_args()


def write_figures(path, out):
    """Collect the figures of all reports into the json file of the documentation's table."""
    reports = [str(out / name / 'report.json') for name in SCHEMES]
    collect = Path(__file__).parent / 'docs' / 'collect.py'
    subprocess.run([sys.executable, collect, *reports, '--out', path, '--command', 'make audit'], check=True)


def main():
    """Attack all schemes; return the exit code."""
    args = parse_args()
    from PIL import Image
    from tqdm import tqdm

    from hii_mm import HiiError, Scheme, attack
    from hii_mm.attacks.evaluation.photos import SCENES, sample_photos
    from hii_mm.attacks.report.table import summary_table

    out, start, settings = Path(args.out), time.monotonic(), []
    about = {'command': shlex.join(['python', *sys.argv])}
    photos = out / 'photos'
    photos.mkdir(parents=True, exist_ok=True)
    for name, photo in sample_photos(224, SCENES[: args.images]).items():
        Image.fromarray(photo).save(photos / f'{name}.png')
    for name, parameters in SCHEMES.items():
        with tqdm(desc=name, disable=None) as bar:

            def show(done, total, note='', bar=bar):
                bar.total = total
                bar.update(done - bar.n)

            try:
                scheme = Scheme(16, remainder='crop', **parameters)
                report = attack(photos, scheme, out=out / name, progress=show, about=about)
            except HiiError as error:
                print(f'audit: {error}', file=sys.stderr)
                return error.exit_code
        if report.interrupted:
            return 130
        settings += report.data['settings']
    table = summary_table({'settings': settings})
    (out / 'summary.md').write_text(table + '\n')
    if args.json:
        write_figures(args.json, out)
    print(f'{table}\n\n{args.images} photos of 224 x 224, {time.monotonic() - start:.0f} s; reports in {out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
