"""Arguments that several commands share, and conversions with clear errors. NumPy is not imported here."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TypeVar

from ..errors import UsageError
from ..named import choices
from . import passphrase
from .console import shown

if TYPE_CHECKING:
    from ..encryption import MasterKey, Scheme

Number = TypeVar('Number', int, float)
KEY_VARIABLE = 'HII_MM_KEY_FILE'
# the library's accepted values, repeated so that help needs no NumPy; a test compares them
STRATEGIES = ('shuffle', 'mixup', 'both')
REMAINDERS = ('error', 'pad', 'crop')
FITS = ('crop', 'resize', 'pad')
FRAMES = ('upright', 'raw')
FORMATS = ('png', 'webp', 'jpeg', 'shards')
PRESETS = choices()
# the flags that describe a scheme, and what the library takes where they are not given
SCHEME = {
    'strategy': 'shuffle', 'patch_size': 16, 'gap': 0, 'drop_ratio': 0.0, 'orient': False, 'window': None,
    'tone': False, 'noise': 0, 'grid': 2,
}  # fmt: skip


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and say where the help is, instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and exit with 2."""
        self.exit(2, f'{self.prog}: {shown(message)}; see {self.prog} --help\n')


def add_scheme(parser: argparse._ActionsContainer) -> None:
    """Add ``--preset`` and the flags of a scheme. None of them has a default, so that one sees which were given."""
    parser.add_argument('--preset', choices=PRESETS, help='a named scheme, instead of the options below')
    parser.add_argument(
        '--strategy',
        choices=STRATEGIES,
        help='shuffle patches, mix the sub-patches of each, or mix and then shuffle (shuffle)',
    )
    parser.add_argument('--patch-size', type=int, metavar='P', help='side of a patch in pixels (16)')
    parser.add_argument('--gap', type=int, metavar='N', help='pixels removed around each patch (0)')
    parser.add_argument('--drop-ratio', type=float, metavar='R', help='share of patches dropped (0)')
    parser.add_argument('--orient', action='store_true', default=None, help='turn and mirror each patch at random')
    parser.add_argument('--window', type=int, metavar='N', help='shuffle only within windows of N x N patches')
    parser.add_argument('--tone', action='store_true', default=None, help='change the tone of each patch at random')
    parser.add_argument(
        '--noise', type=int, metavar='N', help='add noise to each value: deviation in levels, at most 128 (0)'
    )
    parser.add_argument('--grid', type=int, metavar='G', help='mixing: average G x G sub-patches (2)')


def add_remainder(parser: argparse._ActionsContainer) -> None:
    """Add ``--remainder``, for commands that do not bring images to a size."""
    parser.add_argument(
        '--remainder',
        default='crop',
        choices=REMAINDERS,
        help='what to do with an image that is not a multiple of the patch size (crop)',
    )


def scheme_flags(args: argparse.Namespace) -> list[str]:
    """Return the flags given that describe a scheme, such as ['--preset']."""
    names = [name for name in ('preset', *SCHEME) if getattr(args, name) is not None]
    return [f'--{name.replace("_", "-")}' for name in names]


def scheme(args: argparse.Namespace) -> Scheme:
    """Return the scheme of the preset or of the flags.

    Raises:
        UsageError: values that are not accepted, or a preset and flags.
    """
    from ..encryption import Scheme

    remainder = getattr(args, 'remainder', 'error')
    if args.preset is None:
        given = {name: getattr(args, name) for name in SCHEME if getattr(args, name) is not None}
        return Scheme(**{**SCHEME, **given}, remainder=remainder)
    _, *flags = scheme_flags(args)
    if flags:
        raise UsageError(f'--preset {args.preset} and {", ".join(flags)} both describe a scheme; leave one out')
    return Scheme.preset(args.preset).with_remainder(remainder)


def add_key(parser: argparse._ActionsContainer, what: str = 'the key file') -> None:
    """Add ``--key`` and what :func:`add_opening` adds."""
    parser.add_argument('--key', metavar='KEYFILE', help=f'{what} (default: ${KEY_VARIABLE})')
    add_opening(parser)


def add_opening(parser: argparse._ActionsContainer) -> None:
    """Add ``--passphrase-file`` and ``--insecure-key-permissions``, for commands that read a key file."""
    passphrase.add_file(parser)
    parser.add_argument(
        '--insecure-key-permissions', action='store_true', help='accept a key file that other users can read'
    )


def key_path(args: argparse.Namespace) -> str | None:
    """Return the path of the key file that a flag or the environment names, or None."""
    return args.key or os.environ.get(KEY_VARIABLE) or None


def key(args: argparse.Namespace) -> tuple[MasterKey, str]:
    """Return the key, and the path of its file.

    Raises:
        UsageError: no key is given, or it lies inside an encrypted copy.
        KeyFileError: the file cannot be used.
    """
    from ..handover.safety import load_key

    path = key_path(args)
    if path is None:
        raise UsageError(f'no key given: pass --key KEYFILE or set ${KEY_VARIABLE}; hii-mm keygen creates a key')
    return load_key(path, args.insecure_key_permissions, passphrase.source(args, path)), path


def add_workers(parser: argparse._ActionsContainer) -> None:
    """Add ``--workers`` and ``--quiet``."""
    parser.add_argument('--workers', type=count, metavar='N', help='processes (one for each core)')
    add_quiet(parser)


def add_quiet(parser: argparse._ActionsContainer) -> None:
    """Add ``--quiet``."""
    parser.add_argument('--quiet', action='store_true', help='show no progress')


def workers(args: argparse.Namespace) -> int:
    """Return the number of processes: as given, or one for each core of this process."""
    if args.workers:
        return args.workers
    return len(os.sched_getaffinity(0)) if sys.platform == 'linux' else os.cpu_count() or 1


def count(text: str) -> int:
    """Convert a whole number of at least 1."""
    return _number(text, int, 1, 'a whole number of at least 1')


def whole(text: str) -> int:
    """Convert a whole number of at least 0."""
    return _number(text, int, 0, 'a whole number of at least 0')


def minutes(text: str) -> float:
    """Convert a finite number of at least 0."""
    return _number(text, float, 0, 'a number of minutes of at least 0')


def some_minutes(text: str) -> float:
    """Convert a finite number above 0."""
    return _number(text, float, sys.float_info.min, 'a number of minutes above 0')


def _number(text: str, kind: Callable[[str], Number], least: float, what: str) -> Number:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not math.isfinite(value) or value < least:
        raise argparse.ArgumentTypeError(f'must be {what}, got {text!r}')
    return value


def umask(text: str) -> int:
    """Convert octal digits, such as '022'."""
    if not (text.isascii() and text.isdecimal()) or set(text) & set('89') or int(text, 8) > 0o777:
        raise argparse.ArgumentTypeError(f'must be octal digits from 000 to 777, got {text!r}')
    return int(text, 8)


def size(text: str) -> int | tuple[int, int]:
    """Convert '640x480' to (640, 480), which is (w, h), and 'short:256' to 256."""
    kind, _, number = text.partition(':')
    if kind == 'short' and number.isdecimal() and int(number):
        return int(number)
    w, _, h = text.partition('x')
    if w.isdecimal() and h.isdecimal() and int(w) and int(h):
        return int(w), int(h)
    raise argparse.ArgumentTypeError(f'must be WxH or short:N, got {text!r}')


def part(text: str) -> tuple[int, int]:
    """Convert '1/3' to (0, 3)."""
    i, _, n = text.partition('/')
    if not (i.isdecimal() and n.isdecimal() and 1 <= int(i) <= int(n)):
        raise argparse.ArgumentTypeError(f'must be I/N with I from 1 to N, got {text!r}')
    return int(i) - 1, int(n)


def names(text: str) -> list[str]:
    """Convert 'a,b' to ['a', 'b']."""
    found = [name for name in map(str.strip, text.split(',')) if name]
    if not found:
        raise argparse.ArgumentTypeError(f'must name at least one, got {text!r}')
    return found


def assignment(text: str) -> tuple[str, str]:
    """Convert 'name=value' to ('name', 'value')."""
    name, _, value = text.partition('=')
    if not (name and value):
        raise argparse.ArgumentTypeError(f'must be ATTACK=FILE, got {text!r}')
    return name, value
