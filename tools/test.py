"""Test a model. Flags as in mmdet's tools/test.py."""

from __future__ import annotations

import argparse
import sys

from run_arguments import add_run_arguments, check_file


def parse_args() -> argparse.Namespace:
    """Parse the command line; nothing heavy is imported yet."""
    parser = argparse.ArgumentParser(description='Test a model')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='write the predictions to this .pkl file')
    add_run_arguments(parser)
    args = parser.parse_args()
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out must end in .pkl or .pickle, got {args.out!r}')
    check_file(parser, 'config', args.config)
    check_file(parser, 'checkpoint', args.checkpoint)
    return args


def test(args: argparse.Namespace) -> None:
    """Build the runner of a config and test.

    Raises:
        HiiError: wrong arguments, or a config that does not fit the data or the checkpoint.
    """
    from hii_mm.training.config import run_config

    cfg = run_config(
        args.config,
        loaders=['test'],
        work_dir=args.work_dir,
        options=args.cfg_options,
        launcher=args.launcher,
        local_rank=args.local_rank,
    )
    from mmengine.evaluator import DumpResults
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    cfg.load_from = args.checkpoint
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    if args.out:
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
    runner.test()


def main() -> int:
    """Test, and leave the process group; return the exit code."""
    args = parse_args()
    from hii_mm.errors import HiiError

    try:
        test(args)
    except HiiError as error:
        print(f'test: {error}', file=sys.stderr)
        return error.exit_code
    from hii_mm.training.distributed import leave_group

    leave_group()
    return 0


if __name__ == '__main__':
    sys.exit(main())
