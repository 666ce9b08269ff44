"""``hii-mm decrypt``: restore the images of an encrypted copy."""

from __future__ import annotations

import argparse
import sys

from . import arguments, console

INTERRUPTED = 'run the same command with --resume to continue'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Write the images of the copy DST to OUT, decrypted, as PNG files. Mixed images cannot be decrypted. '
        'Exit codes: 0 done, 1 some images failed, 2 wrong usage.'
    )
    parser.add_argument('dst', metavar='DST', help='folder of the copy')
    parser.add_argument('out', metavar='OUT', help='new folder, outside the copy')
    arguments.add_key(parser)
    parser.add_argument('--resume', action='store_true', help='continue a decryption that was interrupted')
    parser.add_argument(
        '--umask', type=arguments.umask, metavar='OCTAL',
        help='permissions to withhold, such as 022 (077: only you can read the decrypted pictures)',
    )  # fmt: skip
    arguments.add_workers(parser)


def run(args: argparse.Namespace) -> int:
    """Decrypt, and print what failed and what is lost."""
    from ..handover import Manifest, decrypt
    from ..handover.safety import name_map_of

    key, path = arguments.key(args)
    with console.progress('decrypt', 'image', args.quiet) as progress:
        found = decrypt(
            args.dst,
            args.out,
            key=key,
            name_map=name_map_of(path),
            resume=args.resume,
            umask=args.umask,
            workers=arguments.workers(args),
            progress=progress,
        )
    for name, why in found.failed:
        print(f'{console.shown(name)}: {console.shown(why)}', file=sys.stderr)
    images = console.plural(found.images, 'image')
    print(f'Decrypted {images} to {console.shown(args.out)} ({len(found.failed)} failed)')
    if found.lost:
        print(f'{found.lost:.1%} of the pixels were removed by gap, drop or crop; they are black')
    shuffle = Manifest(args.dst).settings.scheme.shuffle
    if shuffle is not None and shuffle.noise:
        print(f'Noise of {shuffle.noise} was taken off, but for values that it had moved to black or white')
    return 1 if found.failed else 0
