"""``hii-mm info``: say how the images are encrypted that a checkpoint, a copy or a config is for."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from typing import Any

from ..errors import UsageError
from . import console

LOADERS = ('train', 'val', 'test')
UNKNOWN = {
    'checkpoint': 'unknown: it was written without the hook CheckEncryption',
    'config': 'unknown: no transform encrypts, and data_root, which may be an encrypted copy, is not here',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Say how the images are encrypted that PATH is for: a checkpoint (needs torch), an encrypted copy or its '
        'manifest.json, or a config (needs mm packages; a config is Python code and is run). Exit codes: 0 done, '
        '1 failed, 2 wrong usage.'
    )
    parser.add_argument('path', metavar='PATH', help='checkpoint, copy, manifest.json, or config (.py)')
    parser.add_argument('--json', action='store_true', help='print JSON')


def run(args: argparse.Namespace) -> int:
    """Print what is known."""
    with contextlib.redirect_stdout(sys.stderr):  # mm packages log on stdout
        found = describe(args.path)
    print(json.dumps(found, indent=1) if args.json else console.shown(as_text(found)))
    return 0


def describe(path: str) -> dict[str, Any]:
    """Return what is known of a checkpoint, a copy, a manifest or a config, as JSON values.

    Returns:
        'kind', 'path' and 'schemes': for each part, such as 'train', a scheme
        as :func:`as_json` gives it, 'plain', or None where nothing says it;
        and more by kind.

    Raises:
        UsageError: no such file, or one of another kind.
        ManifestError, CheckpointError: a damaged one.
        MissingPackageError: torch or the mm packages are not installed.
    """
    from ..handover.layout import MANIFEST

    if os.path.isdir(path):
        return _of_copy(path, path)
    if not os.path.isfile(path):
        raise UsageError(f'file not found: {path!r}')
    if os.path.basename(path) == MANIFEST:
        return _of_copy(path, os.path.dirname(path) or '.')
    if path.endswith('.py'):
        return _of_config(path)
    if path.endswith(('.json', '.yml', '.yaml', '.txt')):
        raise UsageError(f'{path!r} is not a checkpoint, a copy, a {MANIFEST} or a config (.py)')
    return _of_checkpoint(path)


def as_text(found: dict[str, Any]) -> str:
    """Return what is known as lines."""
    lines = [f'{found["path"]}: {found["kind"]}{_more(found)}']
    for part, scheme in found['schemes'].items():
        name = f'{part}: ' if len(found['schemes']) > 1 else ''
        lines.append(f'  {name}{_scheme_text(scheme) if scheme else UNKNOWN[found["kind"]]}')
    return '\n'.join(lines)


def as_json(scheme: Any) -> dict[str, Any]:
    """Return a scheme as JSON values: its name, preset, steps as in a pipeline, and the side of the model's patches."""
    from ..presets import name_of
    from ..training.checkpoints import steps_as_config

    return {
        'label': scheme.label,
        'preset': name_of(scheme),
        'strategy': scheme.strategy,
        'model_patch_size': list(scheme.core_size),
        'steps': steps_as_config(scheme),
    }


def _of_copy(path: str, folder: str) -> dict[str, Any]:
    """Describe an encrypted copy."""
    from ..encryption import Scheme
    from ..handover import Manifest

    manifest = Manifest(folder)
    scheme = as_json(Scheme.from_manifest(manifest))
    return {'kind': 'encrypted copy', 'path': path, 'images': manifest.counts.images, 'schemes': {'images': scheme}}


def _of_checkpoint(path: str) -> dict[str, Any]:
    """Describe a checkpoint."""
    from ..training.checkpoints import SCHEME, read_checkpoint, scheme_of_meta

    meta = read_checkpoint(path)['meta']
    scheme = scheme_of_meta(meta)
    shown = as_json(scheme) if scheme else 'plain' if SCHEME in meta else None
    found: dict[str, Any] = {'kind': 'checkpoint', 'path': path, 'schemes': {'trained on': shown}}
    for name in ('epoch', 'iter'):
        if isinstance(meta.get(name), (int, str)):
            found[name] = meta[name]
    classes = (meta.get('dataset_meta') or {}).get('classes')
    if isinstance(classes, (list, tuple)):
        found['classes'] = [str(name) for name in classes]
    return found


def _of_config(path: str) -> dict[str, Any]:
    """Describe a config: the scheme of each loader, by its pipeline or by the copy that it reads."""
    from ..training.config import read_config

    cfg = read_config(path).to_dict()
    schemes = {part: _of_loader(cfg[f'{part}_dataloader']) for part in LOADERS if cfg.get(f'{part}_dataloader')}
    return {'kind': 'config', 'path': path, 'schemes': schemes}


def _of_loader(loader: dict[str, Any]) -> dict[str, Any] | str | None:
    """Return the scheme of a loader's config, None where its images are not here."""
    from ..encryption import Scheme
    from ..errors import InvalidValueError
    from ..training.manifest_check import copies

    for copy in copies(loader):
        return as_json(copy.scheme)
    try:
        scheme = Scheme.from_config(loader)
    except InvalidValueError:
        scheme = None
    root = (loader.get('dataset') or {}).get('data_root')
    here = not isinstance(root, str) or os.path.isdir(root)
    return as_json(scheme) if scheme else 'plain' if here else None


def _more(found: dict[str, Any]) -> str:
    """Return what else is known, for the first line."""
    words = [console.plural(found['images'], 'image')] if 'images' in found else []
    words += [f'epoch {found["epoch"]}'] if 'epoch' in found else []
    words += [f'classes: {len(found["classes"])}'] if 'classes' in found else []
    return f' ({", ".join(words)})' if words else ''


def _scheme_text(scheme: dict[str, Any] | str) -> str:
    """Return a scheme in words."""
    if isinstance(scheme, str):
        return 'plain images'
    h, w = scheme['model_patch_size']
    name = f' (preset {scheme["preset"]})' if scheme['preset'] else ''
    return f'{scheme["label"]}{name}; a model reads patches of {h} x {w} (h x w)'
