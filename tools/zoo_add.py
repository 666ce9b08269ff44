"""Add a row to the zoo: of a trained model with log, weights and checksum, or of a config alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from zoo_rows import CONFIG_ONLY, MEASURED, PLAIN, ROOT, Log, write_log, write_sums
from zoo_run import Run, last_checkpoint, options_of, read_run, strip

from hii_mm.encryption import Scheme
from hii_mm.errors import UsageError
from hii_mm.files import write_atomically

TASKS = {'mmpretrain': 'Image Classification', 'mmdet': 'Object Detection'}
DATA = {  # by the end of a config's name
    'in1k': 'ImageNet-1k',
    'coco': 'COCO 2017',
    'encrypted-fashion-mnist': 'Fashion-MNIST, an encrypted copy of 15,000 of 60,000 images',
    'fashion-mnist': 'Fashion-MNIST, 15,000 of 60,000 images',
    'encrypted-fashion-det': 'FashionDet, an encrypted copy',
    'fashion-det': 'FashionDet',
    'fashion-scene': 'FashionScene',
    'digits': 'digits of scikit-learn',
}


def config_path(name: str, root: Path = ROOT) -> Path:
    """Return the config of a row: its name is the file's stem, or the stem, '_' and what is special about the run.

    Raises:
        UsageError: no such config.
    """
    stems = {path.stem: path for path in root.glob('configs/*/*.py') if path.parent.name != '_base_'}
    for stem in (name, name.rpartition('_')[0]):
        if stem in stems:
            return stems[stem]
    raise UsageError(f'{name!r} is neither the stem of a file in configs/*/ nor one followed by _WORDS')


def label_of(scheme: Scheme | None) -> str:
    """Return what is done to the images, as the tables of attacks name it."""
    return scheme.label if scheme else PLAIN


def label_of_config(cfg: Any) -> str:
    """Return what the training pipeline of a config does to the images; of a copy nothing is done to it again."""
    from mmengine.registry import init_default_scope

    from hii_mm.training.pipelines import check_pipeline, compose
    from hii_mm.training.schemes import single_scheme, steps_of

    init_default_scope(cfg.default_scope)
    ends = check_pipeline('', compose(cfg.train_dataloader.dataset.pipeline), True).ends
    ways = frozenset(tuple(step for one in chain for step in steps_of(one.scheme)) for chain in ends)
    return label_of(single_scheme(ways))


def add(name: str, work_dir: Path, machine: str, root: Path = ROOT) -> list[Path]:
    """Add a run to the zoo and return the files written; nothing is written if anything is wrong with it.

    Args:
        name: of the row, see :func:`config_path`.
        work_dir: of a run of tools/train.py.
        machine: processor or GPU, and what ran beside it.
        root: of the repository.

    Raises:
        HiiError: not a finished run, or one that does not fit the zoo.
    """
    config, run = config_path(name, root), read_run(work_dir)
    weights, meta = strip(last_checkpoint(work_dir), run.dump)
    log = Log(_head(name, config.relative_to(root), run, meta, machine), run.scalars)
    if not log.figures():
        raise UsageError(f'the run in {str(work_dir)!r} was not evaluated: no accuracy and no AP in its scalars')
    entry = _measured(log, meta)
    paths = [root / f'zoo/weights/{name}.pth', root / f'zoo/logs/{name}.jsonl', config.parent / 'metafile.yml']
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    write_atomically(paths[0], weights)
    write_log(paths[1], log)
    write_sums(root)
    write_entry(paths[2], entry)
    return paths


def add_config(name: str, root: Path = ROOT) -> list[Path]:
    """Add a config that was not trained here, and return the file written."""
    from hii_mm.training.config import read_config

    config = config_path(name, root)
    known = {'Training Data': data_of(name), 'Protection': label_of_config(read_config(str(config)))}
    entry = {'Name': name, 'Config': str(config.relative_to(root)), 'Metadata': {**known, 'Status': CONFIG_ONLY}}
    write_entry(config.parent / 'metafile.yml', entry)
    return [config.parent / 'metafile.yml']


def write_entry(metafile: Path, entry: dict[str, Any]) -> None:
    """Put an entry into a metafile, in place of that of the same name if there is one.

    Raises:
        UsageError: there is no metafile with a collection.
    """
    if not metafile.is_file():
        raise UsageError(f'file not found: {str(metafile)!r}: begin it with the collection, as other families do')
    content = yaml.safe_load(metafile.read_text(encoding='utf-8'))
    models = content.get('Models') or []
    names = [model['Name'] for model in models]
    place = names.index(entry['Name']) if entry['Name'] in names else len(names)
    whole = {'Name': entry['Name'], 'In Collection': content['Collections'][0]['Name'], **entry}
    models[place : place + 1] = [whole]
    text = yaml.safe_dump({**content, 'Models': models}, sort_keys=False, allow_unicode=True, width=118)
    write_atomically(metafile, text.encode())


def data_of(name: str) -> str:
    """Return the data that the name of a config ends with, in words."""
    return next((words for end, words in DATA.items() if re.search(rf'_{end}(_|$)', name)), 'unknown')


def _head(name: str, config: Path, run: Run, meta: dict[str, Any], machine: str) -> dict[str, Any]:
    """Return the head of a log."""
    options = options_of(run.dump, ROOT / config)
    words = ['python tools/train.py', str(config), *(['--cfg-options', *options] if options else [])]
    head = {'name': name, 'config': str(config), 'options': options, 'command': ' '.join(words), 'date': run.date}
    head |= {'machine': machine, 'seconds': run.seconds, 'epochs': meta['epoch'], 'seed': meta.get('seed')}
    return {**head, 'mmengine': str(meta.get('mmengine_version', ''))[:7], 'dump': run.dump}


def _measured(log: Log, meta: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of a metafile for a log."""
    from hii_mm.training.checkpoints import scheme_of_meta

    head, name = log.head, log.head['name']
    scope = re.search(r"^default_scope = '(\w+)'", head['dump'], re.MULTILINE)
    planned = re.search(r'-(\d+)e_', name)
    known = {'Training Data': data_of(name), 'Protection': label_of(scheme_of_meta(meta))}
    known |= {'Epochs': head['epochs'], 'Epochs Planned': int(planned[1]) if planned else head['epochs']}
    known |= {'Training Time (s)': round(head['seconds']), 'Machine': head['machine'], 'Date': head['date']}
    known |= {'Status': MEASURED, 'Log': f'zoo/logs/{name}.jsonl'}
    task = TASKS[scope[1] if scope else 'mmdet']
    results = [{'Task': task, 'Dataset': data_of(name).partition(',')[0], 'Metrics': log.figures()}]
    return {
        'Name': name, 'Config': head['config'], 'Metadata': known, 'Results': results,
        'Weights': f'zoo/weights/{name}.pth',
    }  # fmt: skip
