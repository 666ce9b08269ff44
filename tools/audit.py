"""The default attack report on public photographs, at four settings, from nothing.

    python tools/audit.py [--out work_dirs/audit] [--images N]        (make audit)

Writes DIR/<setting>/report.html and prints one table of what was recovered,
which docs/measured_attacks.md shows. The photographs are those that
scikit-image and scikit-learn ship; nothing is downloaded.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from PIL import Image

from hii_mm.attacks.page import summary_table
from hii_mm.attacks.photos import sample_photos
from hii_mm.cli import main as hii_mm

SETTINGS = {
    'rs-gap-0': ['--strategy', 'shuffle'],
    'rs-gap-2': ['--strategy', 'shuffle', '--gap', '2'],
    'mi': ['--strategy', 'mixup'],
    'rs-on-mi': ['--strategy', 'both'],
}


def main():
    """Run the reports; the exit code is that of the first that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='work_dirs/audit')
    parser.add_argument('--images', type=int, default=14)
    args = parser.parse_args()
    out, start, settings = Path(args.out), time.monotonic(), []
    photos = out / 'photos'
    photos.mkdir(parents=True, exist_ok=True)
    for name, photo in list(sample_photos(224).items())[: args.images]:
        Image.fromarray(photo).save(photos / f'{name}.png')
    for name, flags in SETTINGS.items():
        code = hii_mm(['attack', str(photos), *flags, '--out', str(out / name)])
        if code:
            return code
        settings += json.loads((out / name / 'report.json').read_text())['settings']
    table = summary_table({'settings': settings})
    (out / 'summary.md').write_text(table + '\n')
    print(f'\n{table}\n\n{args.images} photos of 224 x 224, {time.monotonic() - start:.0f} s; reports in {out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
