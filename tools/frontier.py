"""Measure what each setting costs in accuracy, and what attacks get at it, on FashionScene: docs/frontier.md.

    python tools/frontier.py run [--settings NAME ...] [--seeds 0 1 2] [--epochs 6]
    python tools/frontier.py attack [--settings NAME ...] [--images 50] [--steps N]
    python tools/frontier.py bag [--settings NAME ...]
    python tools/frontier.py try [--trials NAME ...] [--epochs 2]
    python tools/frontier.py table
    python tools/frontier.py plot

``run`` trains a recogniser for each setting and seed, one after the other, and
writes zoo/frontier/NAME-seedN.json, and with --epochs or --copies a file of
the same name in a folder such as zoo/frontier/epochs-18. ``attack`` attacks validation images of each scheme
and writes zoo/frontier/attacks/NAME.json; with --steps it trains the attack
context on training images of the scheme and writes NAME-trained.json, where
else it takes the checkpoint that is shipped for it, if any. ``bag`` names the
items of images from their pieces in no order, linearly, and writes bags/NAME.json.
``try`` trains with changes of the recipe and
writes zoo/frontier/trials/NAME-SETTING.json. What is there already is left alone, and a run
that was interrupted goes on behind its last whole epoch, so that both may be
ended and called again at any time. ``table`` prints Markdown, and with --json
writes what the tables of the documentation show; ``plot`` draws accuracy against
what the best attack got. A GPU is used if there is one.

Needs data/fashion-scene (tools/dataset_converters/fashion_scene.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from frontier_settings import SETTINGS

RUNS = Path('zoo/frontier')
ATTACKS = ['identity', 'jigsaw', 'context', 'mixup-inverse']
KINDS = ['runs', 'trials', 'boxes', 'copies', 'options']


def parse_args() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    commands = parser.add_subparsers(dest='command', required=True)
    run = commands.add_parser('run', help='train')
    attack = commands.add_parser('attack', help='attack validation images')
    bag = commands.add_parser('bag', help='name items from bags of pieces')
    trial = commands.add_parser('try', help='train with changes of the recipe')
    table = commands.add_parser('table', help='print a table')
    plot = commands.add_parser('plot', help='draw the plot')
    _add_training(run, trial)
    _add_attack(attack)
    for command in (run, attack, bag):
        command.add_argument('--settings', nargs='+', choices=SETTINGS, default=list(SETTINGS), metavar='NAME')
    for command in (run, attack, bag, trial):
        _add_places(command)
    table.add_argument('--of', choices=KINDS, default='runs', help='(%(default)s)')
    table.add_argument('--json', type=Path, metavar='FILE', help='write the rows, too')
    plot.add_argument('--file', type=Path, default=Path('docs/images/frontier.svg'), metavar='FILE')
    for command in (run, attack, bag, trial, table, plot):
        command.add_argument('--out', type=Path, default=RUNS, metavar='DIR', help='of the json files (%(default)s)')
    return parser.parse_args()


def _add_training(run: argparse.ArgumentParser, trial: argparse.ArgumentParser) -> None:
    """Add what only trainings take."""
    run.add_argument('--seeds', nargs='+', type=int, default=[0], metavar='N', help='(%(default)s)')
    run.add_argument('--epochs', type=int, metavar='N', help="(the config's)")
    run.add_argument('--copies', type=Path, metavar='DIR', help='train on DIR/NAME/{train,val}, encrypted already')
    trial.add_argument('--trials', nargs='+', metavar='NAME', help='of tools/frontier_trials.py (all)')
    trial.add_argument('--epochs', type=int, default=2, metavar='N', help='(%(default)s)')


def _add_attack(attack: argparse.ArgumentParser) -> None:
    """Add what only attacks take."""
    attack.add_argument('--images', type=int, default=50, metavar='N', help='(%(default)s)')
    attack.add_argument('--attacks', nargs='+', default=ATTACKS, metavar='NAME', help='(%(default)s)')
    attack.add_argument(
        '--steps', type=int, default=0, metavar='N', help='train context on FashionScene; 0: as it is shipped'
    )


def _add_places(command: argparse.ArgumentParser) -> None:
    """Add where data and runs are, and the name of the machine."""
    command.add_argument('--data', type=Path, default=Path('data/fashion-scene'), metavar='DIR')
    command.add_argument(
        '--work-dir', type=Path, default=Path('work_dirs/frontier'), metavar='DIR', help='(%(default)s)'
    )
    command.add_argument('--machine', metavar='TEXT', help='(the name of the processor)')


def main() -> int:
    """Do what the arguments say; return the exit code."""
    args = parse_args()
    if args.command in ('run', 'try', 'attack', 'bag') and not args.data.is_dir():
        print(f'frontier: no folder {args.data}; run tools/dataset_converters/fashion_scene.py first', file=sys.stderr)
        return 2
    if args.command == 'run':
        from frontier_run import run_all

        run_all(args)
    elif args.command == 'try':
        from frontier_trials import TRIALS, try_all

        args.trials = args.trials or list(TRIALS)
        if unknown := [name for name in args.trials if name not in TRIALS]:
            print(f'frontier: no trial {unknown[0]}; there are {", ".join(TRIALS)}', file=sys.stderr)
            return 2
        try_all(args)
    elif args.command == 'attack':
        from frontier_attack import attack_all

        attack_all(args)
    elif args.command == 'bag':
        from frontier_bag import bag_all

        bag_all(args)
    else:
        return show(args)
    return 0


def show(args: argparse.Namespace) -> int:
    """Print, write or draw what was measured; return the exit code."""
    from frontier_more import box_rows, copy_rows, option_rows, run_rows, trial_rows
    from frontier_show import plot, table, write_rows

    kind = 'runs' if args.command == 'plot' else args.of
    readers = (run_rows, trial_rows, box_rows, copy_rows, option_rows)
    found = dict(zip(KINDS, readers))[kind](args.out)
    if not found:
        print(f'frontier: no {kind} in {args.out}', file=sys.stderr)
        return 2
    if args.command == 'plot':
        plot(found, args.file)
        return 0
    if kind == 'runs':
        print(table(found))
    else:
        print('\n'.join(json.dumps(row) for row in found))
    if args.json:
        write_rows(found, args.json, kind)
    return 0


if __name__ == '__main__':
    sys.exit(main())
