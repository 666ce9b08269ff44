"""Keep the model zoo: check it, write its tables, train a row again, add one.

python tools/zoo.py check [--no-data] [NAME...]
python tools/zoo.py table
python tools/zoo.py reproduce NAME [--work-dir DIR] [--print]
python tools/zoo.py add NAME [WORKDIR] [--machine TEXT]
python tools/zoo.py speed NAME... --machine TEXT
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import zoo_speed
import zoo_table
from zoo_add import add, add_config
from zoo_check import problems
from zoo_rows import ROOT, Log, Row, find_row, read_log, read_rows
from zoo_run import read_run

from hii_mm.errors import HiiError, UsageError


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    one = commands.add_parser('check', help='lint metafiles, logs and weights; exit code 1 if anything is wrong')
    one.add_argument('names', nargs='*', metavar='NAME', help='load the weights of these rows alone')
    one.add_argument('--no-data', action='store_true', help='accept rows whose data are not here')
    one.set_defaults(run=run_check)
    one = commands.add_parser('table', help='write docs/data/zoo.json and the tables of figures')
    one.set_defaults(run=lambda args: zoo_table.write())
    one = commands.add_parser('reproduce', help='train a row again and print its figures beside the old ones')
    one.add_argument('name', metavar='NAME')
    one.add_argument('--work-dir', type=Path, help='(default: work_dirs/zoo/NAME)')
    one.add_argument('--print', action='store_true', help='print the command alone')
    one.set_defaults(run=run_reproduce)
    one = commands.add_parser('add', help='add a trained row, or without WORKDIR a config that was not trained')
    one.add_argument('name', metavar='NAME', help='stem of the config, perhaps followed by _WORDS')
    one.add_argument('work_dir', nargs='?', type=Path, metavar='WORKDIR', help='of a run of tools/train.py')
    one.add_argument('--machine', help='processor or GPU, and what ran beside it')
    one.set_defaults(run=run_add)
    one = commands.add_parser('speed', help='measure the images a second that classifiers learn from, side by side')
    one.add_argument('names', nargs='+', metavar='NAME', help='of rows; the first is the baseline')
    one.add_argument('--machine', required=True, help='processor or GPU, and what ran beside it')
    one.add_argument('--rounds', type=int, default=100, help='training steps of each (100)')
    one.set_defaults(run=run_speed)
    return parser.parse_args(argv)


def run_check(args: argparse.Namespace) -> int:
    """Print all problems and return 1 if there are any."""
    from zoo_spot import spot_problems

    rows = read_rows()
    chosen = [find_row(rows, name) for name in args.names] or rows
    found, unchecked, checked = list(problems(rows)), [], 0
    for row in chosen:
        if row.weights and (ROOT / row.weights).is_file():
            said = [f'{row.name}: {problem}' for problem in spot_problems(row)]
            skipped = [line for line in said if ': not checked: ' in line]
            unchecked += skipped
            found += [line for line in said if line not in skipped]
            checked += not said
    print('\n'.join([*unchecked, *found]))
    print(f'{len(rows)} rows: {len(found)} problems, {checked} weights checked, {len(unchecked)} not checked')
    if unchecked and not args.no_data:
        print('Data are missing; --no-data accepts that')
    return 1 if found or (unchecked and not args.no_data) else 0


def run_reproduce(args: argparse.Namespace) -> int:
    """Train a row again and print old figures beside new ones."""
    row = find_row(read_rows(), args.name)
    if not row.log:
        raise UsageError(f'{row.name} was not trained here; its config: {row.config}')
    old, work_dir = read_log(ROOT / row.log), args.work_dir or ROOT / 'work_dirs' / 'zoo' / row.name
    words = ['tools/train.py', row.config, '--work-dir', str(work_dir)]
    words += ['--cfg-options', *old.head['options']] if old.head['options'] else []
    print('$', ' '.join(['python', *words]), flush=True)
    if args.print:
        return 0
    code = subprocess.run([sys.executable, '-W', 'ignore', *words], cwd=ROOT).returncode
    if not code:
        print(compared(row, old, work_dir))
    return code


def compared(row: Row, old: Log, work_dir: Path) -> str:
    """Return a table of the figures of a row and those of a new run."""
    run = read_run(work_dir)
    new = Log({}, run.scalars).figures()
    lines = [('', 'old', 'new'), *((name, f'{row.metrics[name]:.2f}', f'{new[name]:.2f}') for name in new)]
    lines += [
        ('seconds', f'{old.head["seconds"] or 0:.0f}', f'{run.seconds:.0f}'),
        ('date', old.head['date'], run.date),
    ]
    return '\n'.join(f'{name:16} {was:>12} {now:>12}' for name, was, now in lines)


def run_add(args: argparse.Namespace) -> int:
    """Add a row and print the files written."""
    if args.work_dir and not args.machine:
        raise UsageError("--machine is needed: processor or GPU, and what ran beside it, such as 'one H200'")
    written = add(args.name, args.work_dir, args.machine) if args.work_dir else add_config(args.name)
    for path in written:
        print(f'{path.relative_to(ROOT)}: updated')
    print('Now run: python tools/zoo.py table')
    return 0


def run_speed(args: argparse.Namespace) -> int:
    """Measure rows side by side."""
    rows = read_rows()
    zoo_speed.write([find_row(rows, name) for name in args.names], args.rounds, args.machine)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run a command and return the exit code."""
    args = parse_args(argv)
    try:
        return args.run(args)
    except HiiError as error:
        print(f'zoo: {error}', file=sys.stderr)
        return error.exit_code


if __name__ == '__main__':
    sys.exit(main())
