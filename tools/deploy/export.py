"""Export a trained classifier, YOLOS or PEYOLOS as one file that runs without mm packages.

    python tools/deploy/export.py CONFIG CHECKPOINT [--format onnx|torchscript] [--out FILE]

Batch and picture size stay free. The file carries the scheme of its pictures,
the classes and how plain pictures are resized; ``hii-mm predict FILE.onnx``
reads it. Before it is written it is compared with PyTorch on two sizes: scores
and boxes may differ by 1e-4.
"""

import argparse
import sys
from pathlib import Path


def parse_args():
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', metavar='CONFIG', help='config of the model')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='checkpoint that the training wrote')
    parser.add_argument('--format', choices=('onnx', 'torchscript'), default='onnx', help='(%(default)s)')
    parser.add_argument('--out', metavar='FILE', help='(the name of the checkpoint with .onnx or .pt)')
    return parser.parse_args()


def main():
    """Export; return the exit code."""
    args = parse_args()
    from hii_mm import HiiError

    try:
        from hii_mm.inference.export import FORMATS, export

        out = args.out or str(Path(args.checkpoint).with_suffix(FORMATS[args.format]))
        difference = export(args.checkpoint, out, args.format, args.config)
    except (HiiError, OSError) as error:
        print(f'export: {error}', file=sys.stderr)
        return getattr(error, 'exit_code', 1)
    print(f'{out}: {Path(out).stat().st_size / 1e6:.1f} MB, at most {difference:.1g} from PyTorch')
    return 0


if __name__ == '__main__':
    sys.exit(main())
