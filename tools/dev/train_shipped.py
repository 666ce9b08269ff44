"""Train the shipped checkpoints of the attack ``context``, and write the sums of all shipped files.

    python tools/dev/train_shipped.py [--photos data/gcompris/learn] [--out FOLDER] [--resume] [SETTING ...]

One for each of ``STEPS``, or for those whose setting is named. The shipped
seam models must fit the settings already (``tools/dev/fit_seams.py``). About
12 CPU minutes for 4,000 steps on one core with matrix units for bfloat16.
Ctrl-C keeps ``FILE.part``, and ``--resume`` goes on from it. The measured
curve, on every tenth photograph, is kept in the checkpoint.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
from pathlib import Path

import torch
from fit_seams import write_sums

from hii_mm import Scheme
from hii_mm.attacks.context.checkpoint import shipped_name
from hii_mm.attacks.solver.seam_files import SHIPPED, setting_of
from hii_mm.attacks.training import train_attack

ROOT = Path(__file__).parents[2]
STEPS = {
    Scheme(16, strategy='both'): 4000,
    Scheme(16, strategy='both', gap=1): 4000,
    Scheme(16): 1500,
    Scheme(16, gap=2): 3000,
    Scheme(16, gap=2, tone=True): 900,
    Scheme(16, gap=2, noise=16): 4000,
    Scheme(16, gap=2, noise=32): 4000,
    Scheme(16, gap=4): 3000,
    Scheme(8, gap=2): 12000,
    Scheme(8, gap=2, noise=16): 12000,
}


def shown(done, total, note):
    """Print a line now and then."""
    if done % max(1, total // 25) == 0:
        print(f'step {done} of {total}, {note}', flush=True)


def main():
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('settings', nargs='*', metavar='SETTING', help='such as rs-p16-gap2; default: all')
    parser.add_argument('--photos', type=Path, default=ROOT / 'data' / 'gcompris' / 'learn')
    parser.add_argument('--out', type=Path, default=SHIPPED)
    parser.add_argument('--resume', action='store_true', help='go on from FILE.part')
    args = parser.parse_args()
    schemes = {setting_of(scheme): scheme for scheme in STEPS}
    unknown = sorted(set(args.settings) - set(schemes))
    if unknown:
        parser.error(f'no such setting: {", ".join(unknown)}; there are {", ".join(schemes)}')
    torch.set_num_threads(1)
    for setting in args.settings or schemes:
        scheme = schemes[setting]
        path = args.out / shipped_name(scheme)
        resume = args.resume and path.with_name(f'{path.name}.part').is_file()
        train_attack('context', args.photos, scheme, path, steps=STEPS[scheme], resume=resume, progress=shown)
        print(f'{path.name}: {path.stat().st_size / 1000:.0f} kB', flush=True)
    write_sums(args.out)


if __name__ == '__main__':
    main()
