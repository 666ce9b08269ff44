"""Test a model. Flags as in mmdet's tools/test.py."""

import argparse
import os.path as osp

from mmengine.evaluator import DumpResults
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from hii_mm.compat import leave_group
from hii_mm.runtime import add_run_arguments, load_config


def parse_args():
    """Command line."""
    parser = argparse.ArgumentParser(description='Test a model')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='write the predictions to this .pkl file')
    add_run_arguments(parser)
    args = parser.parse_args()
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out must end in .pkl or .pickle, got {args.out!r}')
    if '://' not in args.checkpoint and not osp.isfile(args.checkpoint):
        parser.error(f'no checkpoint file at {args.checkpoint!r}')
    return args


def main():
    """Build the runner of a config and test."""
    args = parse_args()
    cfg = load_config(args)
    cfg.load_from = args.checkpoint
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    if args.out:
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
    runner.test()


if __name__ == '__main__':
    main()
    leave_group()
