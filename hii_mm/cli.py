"""The ``hii-mm`` command."""

import argparse
import sys

from . import __version__, doctor, preview
from .attacks import command as attack
from .attacks import train_command as attack_train
from .handover import command as handover


def build_parser():
    """The parser of ``hii-mm`` and its sub-commands."""
    parser = argparse.ArgumentParser(
        prog='hii-mm', description='Train vision models on images that people should not look at.'
    )
    parser.add_argument('--version', action='version', version=f'hii-mm {__version__}')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for module in (doctor, preview, attack, attack_train):
        module.add_command(commands)
    handover.add_commands(commands)
    return parser


def main(argv=None):
    """Run a command; returns its exit code: 0 fine, 1 failed, 2 wrong usage."""
    args = build_parser().parse_args(argv)
    args.words = sys.argv[1:] if argv is None else list(argv)
    return args.run(args)


if __name__ == '__main__':
    sys.exit(main())
