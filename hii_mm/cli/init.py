"""``hii-mm init``: write a config for one's own data."""

from __future__ import annotations

import argparse
import os
import shlex
from typing import TYPE_CHECKING

from . import arguments, console

if TYPE_CHECKING:
    from ..encryption import Scheme
    from ..training.starter import Data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Look at the data set DIR, plain or encrypted by hii-mm encrypt, and write a config that trains a classifier '
        '(train and val with one folder for each class) or a detector (pictures and COCO files) on it at once. The '
        'scheme of an encrypted copy is that of its manifest; plain pictures are encrypted while they are loaded, '
        'with the scheme that the options describe, or stay plain. A detector of shuffled pictures finds fragments, '
        'which the key puts together. Exit codes: 0 done, 1 failed, 2 wrong usage.'
    )
    parser.add_argument('task', choices=('classifier', 'detector'), help='what to train')
    parser.add_argument('--data', required=True, metavar='DIR', help='folder of the data set')
    parser.add_argument('--out', required=True, metavar='FILE', help='the config to write, such as my_config.py')
    parser.add_argument('--size', type=arguments.count, metavar='N', help='side that plain pictures are resized to')
    parser.add_argument('--epochs', type=arguments.count, metavar='N', help='length of the training (by the data)')
    parser.add_argument('--force', action='store_true', help='overwrite FILE')
    arguments.add_scheme(parser.add_argument_group('scheme, for plain pictures'))


def run(args: argparse.Namespace) -> int:
    """Write the config, and print how to train and how to predict."""
    from ..errors import UsageError
    from ..files import check_writable, write_atomically
    from ..training.starter import look
    from ..training.starter_text import epochs_of, write_config

    if os.path.lexists(args.out) and not args.force:
        raise UsageError(f'{args.out!r} exists; --force overwrites it')
    if not args.out.endswith('.py'):
        raise UsageError(f'--out must be a Python file, such as my_config.py, got {args.out!r}')
    scheme = arguments.scheme(args) if args.preset or arguments.scheme_flags(args) else None
    data = look(args.data, args.task)
    text = write_config(data, args.task, scheme, args.size, args.epochs)
    check_writable(os.path.dirname(args.out) or '.', '--out')
    os.makedirs(os.path.dirname(args.out) or '.', exist_ok=True)
    write_atomically(args.out, text.encode())
    print(text.splitlines()[0].removeprefix('# ').removesuffix(' Written by hii-mm init.'))
    print(console.shown('\n'.join(_notes(args.task, data, scheme))), end='')
    print(console.shown(f'{args.out} is written. Train, and then predict, with:'))
    print(console.shown('\n'.join(_commands(args.out, args.epochs or epochs_of(data), data))))
    return 0


def _notes(task: str, data: Data, scheme: Scheme | None) -> list[str]:
    """Return what the trainer must know, one line each, then an empty string."""
    lines, how = [], data.train.scheme or scheme
    if data.val is None:
        lines.append('There is no val folder, so nothing is validated.')
    if task == 'detector' and how is not None and how.shuffle is not None:
        lines.append('Boxes are fragments: hii-mm predict puts them together, of a copy with --key.')
        if data.val is not None and data.train.scheme is not None:
            lines.append('The AP of the validation is that of fragments, which only the owner can put together.')
    return [*lines, '']


def _commands(config: str, epochs: int, data: Data) -> list[str]:
    """Return the commands that train and predict: those of the checkout, or of the installed package."""
    tool = os.path.join('tools', 'train.py')
    train = ['python', tool] if os.path.isfile(tool) else ['hii-mm', 'mm', 'hii_mm/train']
    name = os.path.splitext(os.path.basename(config))[0]
    checkpoint = os.path.join('work_dirs', name, f'epoch_{epochs}.pth')
    pictures = (data.val or data.train).folder
    words = [*train, config], ['hii-mm', 'predict', checkpoint, pictures, '--out', f'{name}-answers']
    return [f'    {shlex.join(each)}' for each in words]
