"""``hii-mm attack-train``: train an attack that learns, on public photos."""

from __future__ import annotations

import argparse

from . import arguments, console

TRAINABLE = ('bag', 'context', 'parrot', 'position-vit', 'unet-inverse')  # as attacks.api has it
INTERRUPTED = 'no checkpoint was written; context keeps FILE.part, which --resume goes on from'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Train ATTACK on photos that are encrypted by the scheme of the flags, and write a checkpoint for '
        'hii-mm attack --checkpoint ATTACK=FILE. bag and parrot need one folder of photos for each class. '
        'Exit codes: 0 done, 1 the training failed, 2 wrong usage.'
    )
    parser.add_argument('attack', metavar='ATTACK', help=f'one of {", ".join(TRAINABLE)}')
    parser.add_argument('--public', required=True, metavar='PHOTOS', help='folder of plain photos')
    parser.add_argument('--out', required=True, metavar='FILE', help='the checkpoint')
    parser.add_argument('--steps', type=arguments.count, metavar='N', help='training steps (each attack has a default)')
    parser.add_argument('--seed', type=arguments.whole, default=0, metavar='S', help='random seed (0)')
    parser.add_argument(
        '--size', type=arguments.whole, default=224, metavar='S', help='side of the images to attack, in pixels (224)'
    )
    parser.add_argument('--resume', action='store_true', help='go on with the training that left FILE.part (context)')
    arguments.add_quiet(parser)
    arguments.add_scheme(parser.add_argument_group('scheme'))


def run(args: argparse.Namespace) -> int:
    """Train, and print the last loss."""
    from ..attacks.api import train_attack

    scheme = arguments.scheme(args)
    with console.progress('train', 'step', args.quiet) as progress:
        training = train_attack(
            args.attack,
            args.public,
            scheme,
            args.out,
            steps=args.steps,
            seed=args.seed,
            size=args.size,
            resume=args.resume,
            progress=progress,
        )
    print(
        f'Trained {training.attack} against {training.scheme.label} on {console.plural(training.photos, "photo")}: '
        f'{console.shown(training.path)}, last loss {training.losses[-1]:.4f}'
    )
    return 0
