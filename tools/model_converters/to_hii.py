"""Convert released weights for our configs.

Reads released PEViT, DeiT, YOLOS and PEYOLOS checkpoints and Hugging Face's ViT,
DeiT and YOLOS (torch files or .safetensors). Prints the layout it found and what
it left out. Fails on unknown or missing keys and then writes nothing.
"""

from __future__ import annotations

import argparse
import os.path as osp
import sys

CLASSIFIERS = ('head.layers.head.bias', 'bbox_head.class_embed.layers.2.bias')


def parse_args() -> argparse.Namespace:
    """Parse the command line; nothing heavy is imported yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('src', help='released checkpoint')
    parser.add_argument('dst', help='where to write ours')
    parser.add_argument(
        '--model',
        required=True,
        choices=['pevit', 'vit', 'yolos', 'peyolos'],
        help="pevit: our configs/pevit; vit: mmpretrain's VisionTransformer; yolos, peyolos: our detectors",
    )
    parser.add_argument(
        '--keep-classes', action='store_true', help="detectors: keep COCO's 92 logits, do not pick mmdet's 80 + 1"
    )
    parser.add_argument(
        '--img-size', nargs=2, type=int, default=(512, 864), metavar=('H', 'W'),
        help="detectors from DeiT: img_size of the config, in pixels (512 864)",
    )  # fmt: skip
    parser.add_argument(
        '--det-tokens',
        type=int,
        default=100,
        metavar='N',
        help='detectors from DeiT: num_det_tokens of the config (100)',
    )
    args = parser.parse_args()
    if min(*args.img_size, args.det_tokens) < 1:
        parser.error(f'--img-size and --det-tokens must be at least 1, got {args.img_size} and {args.det_tokens}')
    if not osp.isfile(args.src):
        parser.error(f'checkpoint not found: {args.src}')
    return args


def convert(args: argparse.Namespace) -> None:
    """Read, convert, print what was done, write.

    Raises:
        CheckpointError: not a known checkpoint, or unknown or missing keys.
    """
    from hii_mm.models.converters import convert_vit, convert_yolos, read_checkpoint, write_checkpoint
    from hii_mm.version import __version__

    source = read_checkpoint(args.src)
    if args.model in ('pevit', 'vit'):
        converted = convert_vit(source, args.model)
    else:
        converted = convert_yolos(source, args.model, args.keep_classes, tuple(args.img_size), args.det_tokens)
    state = converted.state_dict
    embed = next(value for key, value in source.items() if 'patch_embed' in key and value.ndim == 4)
    dims, channels, *patch = embed.shape
    depth = len({key.split('.')[2] for key in state if key.startswith(('backbone.layers.', 'backbone.blocks.'))})
    classes = next((f'{len(state[key])} classes' for key in CLASSIFIERS if key in state), 'no classifier')
    print(
        f'found: {converted.layout}; {depth} layers, {dims} wide, patches of {patch[0]} x {patch[1]}, '
        f'{channels} channels, {classes}' + (' with "no object"' if CLASSIFIERS[1] in state else '')
    )
    for key, why in converted.left_out.items():
        print(f'left out: {key} ({why})')
    if 'backbone.reference' in state:
        print('it has a reference encoding: use a config of configs/pevit with -rpe_ in its name')
    if converted.layout.startswith('Hugging Face'):
        print("images: use the mean and std of its preprocessor_config.json as the config's data_preprocessor")
    meta = dict(hii_mm=__version__, converted_from=converted.layout, model=args.model)
    write_checkpoint(dict(meta=meta, state_dict=state), args.dst)
    print(f'wrote {args.dst}: {len(state)} tensors')


def main() -> int:
    """Convert; return the exit code."""
    args = parse_args()
    from hii_mm.errors import HiiError

    try:
        convert(args)
    except HiiError as error:
        print(f'to_hii: {error}', file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == '__main__':
    sys.exit(main())
