"""``hii-mm predict``: classify pictures, or detect objects in them, with a trained model."""

from __future__ import annotations

import argparse
import os

from . import arguments, console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Predict with MODEL on each INPUT: a file, a folder, a pattern, or a copy that hii-mm encrypt wrote. Plain '
        'pictures are encrypted as the model was trained; encrypted ones are not encrypted again. The answers go to '
        'DIR. Exit codes: 0 done, 1 failed, 2 wrong usage.'
    )
    parser.add_argument('model', metavar='MODEL', help='a checkpoint (needs mm packages), or an exported .onnx file')
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='picture, folder, pattern or encrypted copy')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder of the answers')
    parser.add_argument('--config', metavar='FILE', help='config of the checkpoint (the one in the checkpoint)')
    parser.add_argument(
        '--format', choices=('json', 'csv', 'coco'), default='json', help='of the answers (%(default)s)'
    )
    parser.add_argument('--threshold', type=_share, default=0.0, metavar='S', help='leave out lower scores (0)')
    parser.add_argument(
        '--top', type=arguments.count, default=100, metavar='N', help='answers a picture, at most (100)'
    )
    parser.add_argument(
        '--encrypted', action='store_true', help='the pictures that no manifest describes are encrypted already'
    )
    parser.add_argument(
        '--key', metavar='KEYFILE', help='key of the encrypted copies: boxes then come back in the plain frame'
    )
    arguments.add_opening(parser)
    parser.add_argument(
        '--draw', action='store_true',
        help='also write each picture with its answers; plain pictures, and with --key decrypted ones, are then '
        'written as they are',
    )  # fmt: skip
    parser.add_argument('--batch-size', type=arguments.count, default=8, metavar='N', help='pictures at once (8)')
    parser.add_argument('--device', metavar='NAME', help='such as cuda:0 (the CPU)')
    arguments.add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Predict, and write the answers and the drawings."""
    from ..files import check_writable, write_atomically
    from ..handover.safety import check_outside_copy, name_map_of
    from ..inference.api import stream
    from ..inference.writing import FORMATS, as_text, draw, write_drawing

    check_outside_copy(args.out, '--out')
    check_writable(args.out, '--out')
    key = arguments.key(args)[0] if args.key else None
    found, drawn, plain = [], 0, 0
    with console.progress('predict', 'image', args.quiet) as progress:
        answers = stream(
            args.model,
            args.inputs,
            config=args.config,
            encrypted=True if args.encrypted else None,
            key=key,
            name_map=name_map_of(args.key) if args.key else None,
            batch_size=args.batch_size,
            device=args.device,
            progress=progress,
        )
        for prediction, drawing in answers:
            found.append(prediction)
            if args.draw:
                write_drawing(os.path.join(args.out, 'drawn'), prediction.name, draw(prediction, drawing))
                drawn, plain = drawn + 1, plain + drawing.plain
    os.makedirs(args.out, exist_ok=True)
    target = os.path.join(args.out, FORMATS[args.format])
    write_atomically(target, as_text(found, args.format, args.threshold, args.top).encode())
    print(f'{console.plural(len(found), "picture")}: answers in {console.shown(target)}')
    if drawn:
        seen = f', {plain} of them show the plain picture' if plain else ''
        print(f'{console.plural(drawn, "drawing")} in {console.shown(os.path.join(args.out, "drawn"))}{seen}')
    return 0


def _share(text: str) -> float:
    """Return a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'expected a number from 0 to 1, got {text!r}')
    return value
