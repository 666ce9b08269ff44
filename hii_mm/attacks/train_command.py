"""``hii-mm attack-train``: train an attack that learns, on public photos."""

import math
import os
import sys
from pathlib import Path

from .. import preview

LEARNED = {'learned-edge': 'learned_edge', 'position-vit': 'position', 'unet-inverse': 'unet', 'parrot': 'parrot'}


def add_command(commands):
    """Add ``attack-train`` to the sub-commands."""
    parser = commands.add_parser(
        'attack-train',
        help='train an attack that learns, on public photos',
        description='Train ATTACK on the photos of --public, encrypted at the setting that the flags give, and '
        'write a checkpoint for hii-mm attack --checkpoint ATTACK=FILE. parrot needs one folder a class.',
    )
    parser.add_argument('attack', choices=list(LEARNED), metavar='ATTACK', help=', '.join(LEARNED))
    parser.add_argument('--public', required=True, metavar='PHOTOS', help='folder of plain photos')
    parser.add_argument('--out', required=True, metavar='FILE', help='the checkpoint')
    parser.add_argument('--steps', type=int, help="training steps (each attack's own default)")
    parser.add_argument('--seed', type=int, default=0, metavar='S', help='(0)')
    parser.add_argument('--size', type=int, default=224, metavar='S', help='side of the images to attack (224)')
    preview.add_parameters(parser)
    parser.set_defaults(run=run, remainder='error')


def run(args):
    """Train and write; 0, 1 where the training came to nothing, or 2 for what is not accepted."""
    import importlib

    try:
        from .base import Setting
        from .cases import check_folder, load_pictures, picture_files

        if args.steps is not None and args.steps < 1:
            raise ValueError(f'--steps must be at least 1, got {args.steps}')
        module = importlib.import_module(f'{__package__}.{LEARNED[args.attack]}')
        if Path(args.out).is_dir():
            raise ValueError(f'--out must be a file, and {args.out} is a folder')
        check_folder(Path(args.out).parent, f'--out {args.out!r}')
        setting = Setting(preview.steps(args), (args.size, args.size))
        _check_size(args.size, setting)
        why = module_refuses(args.attack, setting)
        if why:
            raise ValueError(f'{args.attack}: {why}')
        files = picture_files([args.public])
        given = {'seed': args.seed, 'say': lambda line: print(line, file=sys.stderr, flush=True)}
        given |= {'steps': args.steps} if args.steps else {}
        if args.attack == 'parrot':
            found = [(path, picture) for path in files for picture in load_pictures([path], args.size)[0].values()]
            photos, given['labels'] = [p for _, p in found], [path.parent.name for path, _ in found]
        else:
            photos = [
                picture[..., None].repeat(3, 2) if picture.ndim == 2 else picture
                for picture in load_pictures(files)[0].values()
            ]
            given['shape'] = (args.size, args.size)
        if not photos:
            raise ValueError(f'none of the pictures in {args.public} can be read')
        model, about, losses = module.train(photos, setting, **given)
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f'hii-mm attack-train: {error}', file=sys.stderr)
        return 2
    if not math.isfinite(losses[-1]):
        print(f'hii-mm attack-train: the last loss is {losses[-1]}, so {args.out} was not written', file=sys.stderr)
        return 1
    from . import learning

    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + '.part')
    learning.save(partial, args.attack, model, about)
    os.replace(partial, out)
    print(f'{out}: {args.attack} at {setting.name()}, {len(photos)} photos, last loss {losses[-1]:.4f}')
    return 0


def _check_size(size, setting):
    """Raise ValueError where images of a side hold fewer than 2 x 2 patches."""
    h, w = setting.steps[0].patch_size
    if size < 2 * max(h, w):
        raise ValueError(f'--size must be at least {2 * max(h, w)}, two patches of {h} x {w} a side, got {size}')


def module_refuses(name, setting):
    """Why an attack cannot be trained at a setting, or None."""
    from .base import make

    return make(name, checkpoint='to be written').refuses(setting)
