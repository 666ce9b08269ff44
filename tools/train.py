"""Train a model. Flags as in mmdet's tools/train.py."""

from __future__ import annotations

import argparse
import sys

from run_arguments import add_run_arguments, check_file


def parse_args() -> argparse.Namespace:
    """Parse the command line; nothing heavy is imported yet."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file')
    parser.add_argument('--amp', action='store_true', help='mixed-precision training')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate with the batch size')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='checkpoint to resume from; without a value, the newest in the work directory',
    )
    add_run_arguments(parser)
    args = parser.parse_args()
    check_file(parser, 'config', args.config)
    if args.resume not in (None, 'auto'):
        check_file(parser, 'checkpoint', args.resume)
    return args


def train(args: argparse.Namespace) -> None:
    """Build the runner of a config and train.

    Raises:
        HiiError: wrong arguments, or a config that does not fit the data.
    """
    from hii_mm.errors import UsageError
    from hii_mm.training.config import run_config

    cfg = run_config(
        args.config,
        loaders=['train', 'val'],
        work_dir=args.work_dir,
        options=args.cfg_options,
        launcher=args.launcher,
        local_rank=args.local_rank,
    )
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    if args.amp:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise UsageError(f'--auto-scale-lr needs auto_scale_lr.base_batch_size, but {args.config} has none')
        cfg.auto_scale_lr.enable = True
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.train()


def main() -> int:
    """Train, and leave the process group; return the exit code."""
    args = parse_args()
    from hii_mm.errors import HiiError

    try:
        train(args)
    except HiiError as error:
        print(f'train: {error}', file=sys.stderr)
        return error.exit_code
    from hii_mm.training.distributed import leave_group

    leave_group()
    return 0


if __name__ == '__main__':
    sys.exit(main())
