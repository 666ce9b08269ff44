"""``hii-mm preview``: what a setting does to a picture, plain beside encrypted."""

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from .encryption import MixupParams, ShuffleParams
from .handover.names import copy_around

MARGIN, CAPTION = 12, 28


def add_command(commands):
    """Add ``preview`` to the sub-commands."""
    parser = commands.add_parser(
        'preview',
        help='write plain beside encrypted, to look at a setting',
        description='Write plain beside encrypted for each IMAGE, as DIR/<name>_preview.png. '
        'The shuffle is fresh each time; nothing here can be undone later.',
    )
    parser.add_argument('images', nargs='+', metavar='IMAGE')
    parser.add_argument('--out', required=True, metavar='DIR')
    add_parameters(parser)
    parser.add_argument(
        '--remainder',
        default='crop',
        choices=['error', 'pad', 'crop'],
        help='where the image is no multiple of the patch (default: crop)',
    )
    parser.set_defaults(run=run)


def add_parameters(parser):
    """Add the flags that say how to encrypt."""
    parser.add_argument(
        '--strategy',
        default='shuffle',
        choices=['shuffle', 'mixup', 'both'],
        help='shuffle patches, mix sub-patches, or mix and then shuffle what is left (default: shuffle)',
    )
    parser.add_argument('--patch-size', type=int, default=16, metavar='P', help='side of a patch in pixels (16)')
    parser.add_argument('--gap', type=int, default=0, metavar='N', help='pixels removed around each patch (0)')
    parser.add_argument('--drop-ratio', type=float, default=0.0, metavar='R', help='share of patches dropped (0)')
    parser.add_argument('--orient', action='store_true', help='turn and mirror each patch at random')
    parser.add_argument('--window', type=int, metavar='N', help='shuffle only within N x N patches')
    parser.add_argument('--grid', type=int, default=2, metavar='G', help='mixup: G x G sub-patches a patch (2)')


def steps(args):
    """The parameters of each step that the flags ask for, in order.

    Raises:
        TypeError, ValueError: values that are not accepted.
    """
    mixes = [MixupParams(args.patch_size, args.grid, args.remainder)] if args.strategy != 'shuffle' else []
    if args.strategy == 'mixup':
        return mixes
    side = args.patch_size // args.grid if mixes else args.patch_size
    return [*mixes, ShuffleParams(side, args.gap, args.drop_ratio, args.orient, args.window, args.remainder)]


def read(path):
    """A picture's pixels, upright: (H, W) for grey, else (H, W, 3) RGB, uint8.

    Raises:
        OSError, Image.DecompressionBombError: no picture, or a far too large one.
        ValueError: a colour mode, such as CMYK, that ``hii-mm encrypt`` refuses.
    """
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith('I'):  # 16 bits, which PIL would clip, not scale
            return (np.asarray(upright).clip(0, 65535) // 257).astype(np.uint8)
        if upright.mode not in ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA'):
            raise ValueError(f'colour mode {upright.mode}, which hii-mm encrypt refuses; convert the picture to RGB')
        return np.asarray(upright.convert('L' if upright.mode in ('1', 'L') else 'RGB'))


def sheet(plain, encrypted):
    """Plain beside encrypted as one picture, with captions."""
    pictures = [('plain', plain), ('encrypted', encrypted)]
    height = max(image.shape[0] for _, image in pictures) + CAPTION + MARGIN
    width = sum(max(image.shape[1], 120) + MARGIN for _, image in pictures) + MARGIN
    page, left = Image.new('RGB', (width, height), 'white'), MARGIN
    for name, image in pictures:
        caption = f'{name}, {image.shape[1]} x {image.shape[0]}'
        ImageDraw.Draw(page).text((left, 8), caption, fill='black')
        page.paste(Image.fromarray(image), (left, CAPTION))
        left += max(image.shape[1], 120) + MARGIN
    return page


def preview(path, params, rng):
    """The sheet of one picture file.

    Raises:
        OSError, ValueError, TypeError: it cannot be read or encrypted.
    """
    plain = encrypted = read(path)
    for step in params:
        encrypted = step.plan(encrypted.shape, rng).apply(encrypted)
    return sheet(plain, encrypted)


def run(args):
    """Write the sheets; 0, 1 if a picture failed, 2 if a parameter is not accepted."""
    try:
        params = steps(args)
    except (TypeError, ValueError) as error:
        print(f'hii-mm preview: {error}', file=sys.stderr)
        return 2
    around = copy_around(args.out)
    if around:
        print(f'hii-mm preview: --out {args.out!r} lies in the copy {around!r}, which is handed over', file=sys.stderr)
        return 2
    out, failed, names = Path(args.out), 0, set()
    for path in map(Path, args.images):
        try:
            page = preview(path, params, np.random.default_rng())
            out.mkdir(parents=True, exist_ok=True)
            name = path.stem if path.stem not in names else path.name
            names.add(name)
            target = out / f'{name}_preview.png'
            partial = target.with_suffix('.part')
            page.save(partial, format='PNG')
            os.replace(partial, target)
        except (OSError, TypeError, ValueError, Image.DecompressionBombError) as error:
            failed += 1
            print(f'hii-mm preview: {path}: {error}', file=sys.stderr)
        else:
            print(target)
    return 1 if failed else 0
