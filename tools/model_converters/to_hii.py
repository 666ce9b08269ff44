"""Convert released weights for our configs.

Reads released PEViT, DeiT, YOLOS and PEYOLOS checkpoints and Hugging Face's ViT, DeiT
and YOLOS (torch files or .safetensors). Says which it found and what it left out; fails on unknown or
missing keys and then writes nothing.
"""

import argparse
import os
import sys

import torch

from hii_mm import __version__
from hii_mm.models.convert import CheckpointError, convert_vit, read_checkpoint
from hii_mm.models.convert_yolos import convert_yolos

CLASSIFIERS = ('head.layers.head.bias', 'bbox_head.class_embed.layers.2.bias')


def parse_args():
    """Command line."""
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
        parser.error(f'--img-size and --det-tokens must be from 1 on, got {args.img_size} and {args.det_tokens}')
    return args


def save(checkpoint, path):
    """Write a checkpoint whole or not at all."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    partial = f'{path}.part'
    torch.save(checkpoint, partial)
    os.replace(partial, path)


def main():
    """Read, convert, say what was done, write."""
    args = parse_args()
    try:
        source = read_checkpoint(args.src)
        if args.model in ('pevit', 'vit'):
            converted = convert_vit(source, args.model)
        else:
            converted = convert_yolos(source, args.model, args.keep_classes, args.img_size, args.det_tokens)
    except CheckpointError as error:
        sys.exit(f'to_hii: {error}')
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
    save(dict(meta=meta, state_dict=state), args.dst)
    print(f'wrote {args.dst}: {len(state)} tensors')


if __name__ == '__main__':
    main()
