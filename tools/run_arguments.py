"""Flags that tools/train.py and tools/test.py share. Imports nothing heavy."""

from __future__ import annotations

import argparse
import os.path as osp


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that mmdet's train.py and test.py have in common."""
    parser.add_argument('--work-dir', help='where logs and checkpoints go')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        type=option,
        default=[],
        metavar='KEY=VALUE',
        help='override settings of the config, such as model.backbone.patch_size=8',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def option(word: str) -> str:
    """Return a ``key=value`` word; its value is parsed later, by mmengine."""
    if '=' not in word:
        raise argparse.ArgumentTypeError(f'must be key=value, got {word!r}')
    return word


def check_file(parser: argparse.ArgumentParser, what: str, path: str) -> None:
    """End with a usage error unless ``path`` is a file, a URL, or ``package::path`` as mmengine accepts it."""
    if '://' not in path and '::' not in path and not osp.isfile(path):
        parser.error(f'{what} file not found: {path!r}')
