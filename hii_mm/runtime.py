"""What tools/train.py and tools/test.py share: one config, ready to run."""

import os
import os.path as osp

from mmengine.config import Config, DictAction

from .compat import join_group, prepare


def add_run_arguments(parser):
    """Add the flags that mmdet's train.py and test.py have in common."""
    parser.add_argument('--work-dir', help='where logs and checkpoints go')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override settings of the config, as key=value'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def load_config(args):
    """The config of ``args.config``, with the flags and our check applied.

    Raises:
        SystemExit: the config file is not there.
    """
    prepare()
    if '::' not in args.config and not osp.isfile(args.config):
        raise SystemExit(f'no config file at {args.config!r}')
    if args.launcher == 'none':
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('./work_dirs', osp.splitext(osp.basename(args.config))[0])
    join_group(cfg, args.launcher)
    check_annotations(cfg, ['test'] if hasattr(args, 'checkpoint') else ['train', 'val'])
    hooks = cfg.get('custom_hooks') or []
    cfg.custom_hooks = [*hooks, dict(type='hii_mm.CheckEncryption')]
    return cfg


def check_annotations(cfg, parts):
    """Look for the annotation files of a config's data sets.

    Args:
        cfg (Config): of the run.
        parts (list[str]): of 'train', 'val', 'test'.

    Raises:
        SystemExit: one is not there; names the file and the setting.
    """
    for part in parts:
        for place, dataset in _datasets(f'{part}_dataloader.dataset', (cfg.get(f'{part}_dataloader') or {})):
            path, root = dataset['ann_file'], dataset.get('data_root') or ''
            if '://' in path or '://' in root:
                continue
            path = osp.join(root, path)
            if not osp.isfile(path):
                raise SystemExit(f'no annotation file at {path!r} ({place}.ann_file, under its data_root)')


def _datasets(place, loader):
    """``(place, config)`` of each data set with an ``ann_file``, wrapped ones too."""
    dataset = loader.get('dataset') if isinstance(loader, dict) else None
    queue = [(place, dataset)] if isinstance(dataset, dict) else []
    while queue:
        place, dataset = queue.pop(0)
        if isinstance(dataset.get('ann_file'), str) and dataset['ann_file']:
            yield place, dataset
        inner = dataset.get('datasets') or [dataset.get('dataset')]
        queue += [(f'{place}.dataset', one) for one in inner if isinstance(one, dict)]
