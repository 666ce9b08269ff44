"""``hii-mm attack``: attack images and write what was recovered."""

import argparse
import contextlib
import math
import os
import platform
import shlex
import signal
import sys
import time
from pathlib import Path

from .. import preview
from ..handover.command import KEY_VARIABLE
from ..handover.names import copy_around
from .train_command import LEARNED

DEFAULT = ('identity', 'jigsaw', 'mixup-inverse', 'linkage', 'known-plaintext')


def add_command(commands):
    """Add ``attack`` to the sub-commands."""
    parser = commands.add_parser(
        'attack',
        help='attack encrypted images and report what was recovered',
        description='Attack images and write DIR/report.html, report.json and PNG plots. '
        'SOURCE is what hii-mm encrypt wrote (with --against and --key the figures are true ones), or plain '
        'photos with --strategy or --config to try a setting. Exit codes: 0 done (what the budget cut is listed), '
        '1 nothing could be attacked, 2 wrong usage, 130 interrupted: the report holds what ran.',
    )
    parser.add_argument('source', nargs='+', metavar='SOURCE', help='a folder that hii-mm encrypt wrote, or pictures')
    parser.add_argument('--out', required=True, metavar='DIR', help='for the report; runs go on where they stopped')
    parser.add_argument('--attacks', type=_words, default=DEFAULT, metavar='A,B', help=f'({",".join(DEFAULT)})')
    parser.add_argument('--public', metavar='PHOTOS', help='plain photos, not of the data set, to learn from')
    parser.add_argument('--images', type=_count, default=50, metavar='N', help='attack the first N images (50)')
    parser.add_argument('--repeats', type=_count, metavar='N', help='permutations an image, to try (3; 1 with --sweep)')
    parser.add_argument(
        '--size', type=_whole, default=224, metavar='S', help='to try: middle square, S x S; 0 keeps it'
    )
    parser.add_argument('--budget', type=_minutes, metavar='MINUTES', help='stop after this long; the rest is listed')
    parser.add_argument('--seed', type=_whole, default=0, metavar='S', help='of the permutations that are tried (0)')
    parser.add_argument('--sweep', metavar='WORDS', help='curves, as in gap=0:4,drop=0:0.75,orient,mixup')
    parser.add_argument(
        '--checkpoint', action='append', default=[], metavar='ATTACK=FILE', help='of an attack that learns'
    )
    truth = parser.add_argument_group('the truth of what hii-mm encrypt wrote')
    truth.add_argument('--against', metavar='SRC', help='the plain images it was made from')
    truth.add_argument(
        '--key',
        metavar='KEYFILE',
        help=f'the key file, to know where the pieces are (default: what ${KEY_VARIABLE} names)',
    )
    setting = parser.add_argument_group('a setting to try, or of pictures that are encrypted')
    setting.add_argument('--encrypted', action='store_true', help='the pictures are encrypted already, so')
    setting.add_argument('--config', metavar='FILE', help='take the setting from the pipeline of an mm config')
    preview.add_parameters(setting)
    setting.add_argument('--remainder', default='crop', choices=['error', 'pad', 'crop'], help='(crop)')
    parser.set_defaults(run=run, strategy=None)


def _words(text):
    return tuple(filter(None, (word.strip() for word in text.split(','))))


def _number(text, kind, least, what):
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not math.isfinite(value) or value < least:
        raise argparse.ArgumentTypeError(f'must be {what}, got {text!r}')
    return value


def _count(text):
    return _number(text, int, 1, 'a whole number of at least 1')


def _whole(text):
    return _number(text, int, 0, 'a whole number of at least 0')


def _minutes(text):
    return _number(text, float, 0, 'a number of minutes of at least 0')


class Progress:
    """One line on stderr that is written over, or a line each ten seconds where stderr is no terminal."""

    def __init__(self):
        self.last, self.live = 0.0, sys.stderr.isatty()

    def __call__(self, line):
        """Show a line, if it is time to."""
        now = time.monotonic()
        if now - self.last < (0.1 if self.live else 10):
            return
        self.last = now
        print(
            f'\r\x1b[K{line[:100]}' if self.live else line, end='' if self.live else '\n', file=sys.stderr, flush=True
        )

    def close(self):
        """Leave the line."""
        if self.live:
            print(file=sys.stderr)


@contextlib.contextmanager
def _terminate_as_interrupt():
    """SIGTERM ends a run as Ctrl-C does, with a report of what ran."""

    def handler(number, frame):
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, handler)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run(args):
    """Attack and write the report; see the exit codes above."""
    with _terminate_as_interrupt():
        try:
            return _run(args)
        except KeyboardInterrupt:
            print('hii-mm attack: interrupted before the report was whole', file=sys.stderr)
            return 130


def _run(args):
    try:
        from .runner import Runner
        from .sweep import parse

        options = _check(args)
        settings, public, skipped, mode = _load(args)
        sweep = parse(args.sweep, settings[0][0]) if args.sweep and settings[0][0] else {}
        if args.sweep and not sweep:
            raise ValueError('--sweep needs plain photos and --strategy')
        budget, progress = None if args.budget is None else args.budget * 60, Progress()
        runner = Runner(args.out, public, budget, args.seed, progress, options)
    except ImportError as error:
        return _missing(error)
    except (OSError, TypeError, ValueError) as error:
        print(f'hii-mm attack: {error}', file=sys.stderr)
        return getattr(error, 'code', 2)
    ran = _attack(args, runner, settings, skipped, sweep)
    progress.close()
    return _write(args, runner, skipped, mode, sweep, ran)


def _check(args):
    """What can be found wrong before a picture is read; the options of the attacks.

    Raises:
        ImportError: something is not installed.
        OSError, ValueError: a flag that is not accepted.
    """
    import matplotlib  # noqa: F401  the plots come last, and must not fail then

    from . import make
    from .cases import check_folder

    for name in args.attacks:
        make(name)
    if not args.attacks:
        raise ValueError('--attacks names none')
    around = copy_around(args.out)
    if around:
        raise ValueError(f'--out {args.out!r} lies in the copy {around!r}, which is handed over; reports show pictures')
    check_folder(args.out, f'--out {args.out!r}')
    return _options(args)


def _missing(error):
    advice = '' if 'Run: ' in str(error) else ". Run: pip install '.[attacks]'  (in a checkout of hii_mm)"
    print(f'hii-mm attack: {error}{advice}', file=sys.stderr)
    return 2


def _options(args):
    """``{attack: {'checkpoint': file}}``, each file looked into.

    Raises:
        OSError, ValueError: a word or a file that is not accepted.
    """
    from . import learning
    from .base import attack_names, takes_checkpoint

    found, taking = {}, [name for name in attack_names() if takes_checkpoint(name)]
    for word in args.checkpoint:
        name, _, file = word.partition('=')
        if not file:
            raise ValueError(f'--checkpoint takes ATTACK=FILE, got {word!r}')
        if name not in taking:
            raise ValueError(f'--checkpoint takes ATTACK=FILE, with ATTACK one of {", ".join(taking)}, got {word!r}')
        if name not in args.attacks or name in found:
            why = 'is there twice' if name in found else f'is not among --attacks {",".join(args.attacks)}'
            raise ValueError(f'--checkpoint {word!r}: {name} {why}')
        if not Path(file).is_file():
            raise ValueError(f'--checkpoint {word!r}: {file} is not a file that is there')
        if name in LEARNED:  # others may have files of their own kind
            learning.read(file, name)
        found[name] = {'checkpoint': file}
    return found


def _load(args):
    """([(steps or None, pictures or cases)], public photos, what was left out, mode in words)."""
    from . import cases, handed

    public, skipped = [], []
    if args.public:
        found, skipped = cases.load_pictures(cases.picture_files([args.public], args.out), args.size or 224)
        public = list(found.values())
    dataset = handed.dataset_folder(args.source)
    if dataset is not None:
        if args.strategy or args.config or args.encrypted:
            raise cases.SourceError(f'{dataset} has a manifest that says how it was encrypted: leave out the setting')
        key = args.key or (os.environ.get(KEY_VARIABLE) if args.against else None)
        found, left = handed.load(dataset, args.against, key, args.images)
        mode = 'an encrypted data set, ' + ('with the truth' if args.against else 'as a trainer has it, without truth')
        return [(None, found)], public, skipped + left, mode
    if args.against or args.key:
        raise cases.SourceError('--against and --key go with a folder that hii-mm encrypt wrote')
    files = cases.picture_files(args.source, args.out)
    steps = _steps(args, files)
    pictures, left = cases.load_pictures(files, 0 if args.encrypted else args.size, args.images)
    if len(pictures) + len(left) < len(files):
        left.append(f'{len(files) - len(pictures) - len(left)} more pictures: --images {args.images}')
    if not pictures:
        raise cases.NothingError('none of the pictures can be read: ' + '; '.join(left[:3]))
    if args.encrypted:
        found, refused = cases.encrypted_pictures(pictures, steps)
        return [(None, found)], public, skipped + left + refused, 'encrypted pictures, without truth'
    return [(steps, pictures)], public, skipped + left, f'plain photos, encrypted to try a setting, seed {args.seed}'


def _steps(args, files):
    from . import cases

    if args.config:
        return cases.config_steps(args.config)
    if args.strategy is None:
        raise cases.SourceError(
            f'{files[0]} is a plain picture, or encrypted with unknown parameters. Say which: --strategy shuffle, '
            'mixup or both (and --patch-size, --gap, ...) to try a setting on plain photos; with --encrypted too '
            'if the pictures are encrypted that way already; or name a folder that hii-mm encrypt wrote'
        )
    return tuple(preview.steps(args))


def _attack(args, runner, settings, skipped, sweep):
    """Run everything; ``{parameter of the sweep: [names of its settings]}``."""
    from . import cases

    ran, repeats = {}, args.repeats or (1 if sweep else 3)
    left = [(*each, steps, given) for steps, given in settings for each in _settings(steps, given, sweep)]
    try:
        while left:
            name, found, steps, given = left[0]
            if steps is not None:
                found, refused = cases.try_setting(given, found, repeats, args.seed)
                skipped += [line for line in refused if line not in skipped]
            ran.setdefault(name, []).append(found[0].setting.name() if found else None)
            runner.run(found, args.attacks)
            left.pop(0)
    except KeyboardInterrupt:
        runner.interrupted = True
        _list_interrupted(runner, _asked(left, repeats), args.attacks)
    return ran


def _asked(left, repeats):
    """(setting, image, repeat) of what is still to run, as far as it is known without encrypting it."""
    from .base import Setting

    for _, there, steps, given in left:
        if steps is None:
            yield from ((case.setting.name(), case.name, case.repeat) for case in there)
            continue
        setting = Setting(there)
        for name in given:
            yield from ((setting.name(), name, k) for k in range(repeats if setting.shuffle else 1))


def _list_interrupted(runner, asked, attacks):
    """List as not run what an interrupt outside of an attack kept from running."""
    listed = {(r['setting'], r['image'], r['repeat'], r['attack']) for r in (*runner.rows, *runner.not_run)}
    for setting, image, repeat in dict.fromkeys(asked):
        for attack in attacks:
            if (setting, image, repeat, attack) not in listed:
                row = {'setting': setting, 'attack': attack, 'image': image, 'repeat': repeat}
                runner.not_run.append({**row, 'reason': 'interrupted'})


def _settings(steps, given, sweep):
    """(parameter of a sweep or None, steps or cases) of everything to run."""
    if steps is None:
        return [(None, given)]
    return [(name, there) for name, values in sweep.items() for _, there in values] or [(None, steps)]


def _write(args, runner, skipped, mode, sweep, ran):
    """Write report and plots, print the verdicts; the exit code."""
    from . import plots, report
    from .page import page

    if not runner.rows and not runner.not_run:
        print('hii-mm attack: no image could be attacked: ' + '; '.join(skipped[:3]), file=sys.stderr)
        return 130 if runner.interrupted else 1
    out = Path(args.out)
    about = {
        'created': time.strftime('%Y-%m-%d %H:%M'),
        'command': 'hii-mm ' + shlex.join(getattr(args, 'words', ['attack', *args.source])),
        'machine': f'{platform.machine()}, Python {platform.python_version()}',
        'mode': mode,
        'seed': args.seed,
        'budget_minutes': args.budget,
        'interrupted': runner.interrupted,
        'skipped_files': skipped,
    }
    rows = list({row['key']: row for row in runner.rows}.values())  # a sweep may pass one setting twice
    built = report.build(rows, runner.not_run, about)
    built['sweep'] = _curves(built, sweep, ran)
    report.write_json(out / 'report.json', built)  # before the plots, which may fail
    drawn = [('What was recovered', plots.bars(built, out / 'recovered.png'))]
    for curve in built['sweep']:
        points = [(point['value'], point['metrics']) for point in curve['points']]
        title = f'{curve["attack"]} against {curve["parameter"]}'
        drawn.append(
            (title, plots.curves(points, curve['parameter'], out / f'{curve["attack"]}-{curve["parameter"]}.png'))
        )
    report.write_text(out / 'report.html', page(built, out, [plot for plot in drawn if plot[1]]))
    for setting in built['settings']:
        print(setting['name'])
        for attack in setting['attacks']:
            print(f'  {attack["verdict"]}')
    for line in skipped[:10]:
        print(f'hii-mm attack: left out {line}', file=sys.stderr)
    print(out / 'report.html')
    if runner.interrupted:
        return 130
    return 0 if runner.rows or any(row['reason'] == 'out of budget' for row in runner.not_run) else 1


def _curves(built, sweep, ran):
    """``[{'parameter', 'attack', 'points': [{'value', 'setting', 'metrics': {metric: mean}}]}]``."""
    by_name, found = {setting['name']: setting for setting in built['settings']}, []
    for name, values in sweep.items():
        lines = {}
        for (value, _), setting in zip(values, ran.get(name, [])):
            for attack in by_name.get(setting, {}).get('attacks', []):
                if attack['status'] != 'not run':
                    means = {metric: found['mean'] for metric, found in attack['metrics'].items()}
                    lines.setdefault(attack['name'], []).append({'value': value, 'setting': setting, 'metrics': means})
        found += [{'parameter': name, 'attack': attack, 'points': points} for attack, points in lines.items()]
    return found
