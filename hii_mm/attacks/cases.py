"""What is attacked: encrypted images with their setting, and the truth where the owner gives it."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..encryption import MixupParams, ShuffleParams
from ..preview import read
from .base import Setting
from .photos import square

SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp')


class SourceError(ValueError):
    """Nothing that can be attacked, or parameters that are not known. ``code`` is the exit code."""

    code = 2


class NothingError(SourceError):
    """Sources are there, and none of them can be attacked."""

    code = 1


@dataclass(frozen=True)
class Case:
    """One encrypted image.

    Attributes:
        name: of the image; unique within a setting together with ``repeat``.
        repeat: which of several encryptions of the same image this is.
        setting: the public :class:`Setting`.
        encrypted: (h, w[, C]).
        plain: (H, W[, C]), or None without truth.
        plan: the :class:`hii_mm.encryption.ShufflePlan` of the last step, or None.
    """

    name: str
    repeat: int
    setting: Setting
    encrypted: np.ndarray
    plain: object = None
    plan: object = None


def check_folder(path, what):
    """Refuse a path that is no folder, or that cannot be made or written to.

    Args:
        path: of the folder, there or not.
        what: the flag and value, for the message.

    Raises:
        SourceError: it cannot be written to.
    """
    path = Path(path)
    there = next(place for place in (path, *path.parents) if os.path.lexists(place))
    if not there.is_dir():
        raise SourceError(f'{what}: {there} is no folder')
    if not os.access(there, os.W_OK | os.X_OK):
        raise SourceError(f'{what}: {there} cannot be written to')


def picture_files(sources, out=None):
    """All pictures among files and folders, sorted, each once.

    Args:
        sources: files and folders.
        out: the folder of the report, or None. What lies below it is left out:
            a report holds pictures too.

    Raises:
        SourceError: a source that is not there, or no picture at all.
    """
    found = []
    for source in map(Path, sources):
        if source.is_dir():
            found += sorted(path for path in source.rglob('*') if path.suffix.lower() in SUFFIXES)
        elif source.is_file():
            found.append(source)
        else:
            raise SourceError(f'{source} is not there')
    outside = '' if out is None else f' outside of --out {str(out)!r}'
    if out is not None:
        below = Path(out).resolve()
        found = [path for path in found if not path.resolve().is_relative_to(below)]
    if not found:
        raise SourceError(f'no pictures in {", ".join(map(str, sources))}{outside}: looked for {", ".join(SUFFIXES)}')
    return list(dict.fromkeys(found))


def load_pictures(files, size=0, count=None):
    """``({name: pixels}, [what could not be read])``; a square of ``size`` where that is not 0."""
    pictures, failed = {}, []
    for path in files:
        if count is not None and len(pictures) >= count:
            break
        name = path.stem if path.stem not in pictures else str(path)
        try:
            pixels = read(path)
            pictures[name] = square(Image.fromarray(pixels), size) if size else pixels
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            failed.append(f'{path}: {error}')
    return pictures, failed


def try_setting(pictures, steps, repeats=3, seed=0):
    """Encrypt plain pictures as an owner would: ``([Case], [what was refused])``.

    Args:
        pictures: ``{name: (H, W[, C])}``.
        steps: the parameters, as :class:`Setting` takes them.
        repeats: permutations an image; mixing alone has none, so there it is one.
        seed: the same seed, names and parameters give the same permutations.
    """
    cases, refused = [], []
    for number, (name, plain) in enumerate(pictures.items()):
        setting = Setting(steps, plain.shape[:2])
        for repeat in range(repeats if setting.shuffle else 1):
            try:
                encrypted, plans = setting.encrypt(plain, np.random.default_rng([seed, number, repeat]))
            except (TypeError, ValueError) as error:
                refused.append(f'{name}: {error}')
                break
            cases.append(Case(name, repeat, setting, encrypted, plain, plans[-1] if setting.shuffle else None))
    return cases, refused


def encrypted_pictures(pictures, steps):
    """Pictures that are encrypted already, without truth: ``([Case], [what was refused])``."""
    cases, refused = [], []
    setting = Setting(steps)
    for name, pixels in pictures.items():
        try:
            if setting.shuffle:
                setting.places(pixels.shape)
        except ValueError as error:
            refused.append(f'{name}: {error}')
        else:
            cases.append(Case(name, 0, setting, pixels))
    return cases, refused


def config_steps(path):
    """The encrypting steps of an mm config's training pipeline (or its test pipeline).

    Raises:
        SourceError: it has no ``PatchShuffle`` or ``PatchMixup``.
    """
    from ..compat import prepare

    prepare()
    from mmengine.config import Config

    from ..transforms.order import encrypting_transforms, pipelines, transform_name

    for _, transforms in pipelines(Config.fromfile(path).to_dict()):
        found = encrypting_transforms(transforms)
        if found:
            return tuple(_step(transform, transform_name(transform)) for transform in found)
    raise SourceError(f'{path} has no PatchShuffle or PatchMixup in a pipeline')


def _step(transform, kind):
    """The parameters that the dict of an encrypting transform holds.

    Raises:
        SourceError: a transform other than ours.
    """
    classes = {'PatchShuffle': ShuffleParams, 'PatchMixup': MixupParams}
    if kind not in classes:
        raise SourceError(f'an encrypting transform must be one of {", ".join(classes)}, got {kind}')
    accepted = classes[kind].__dataclass_fields__
    return classes[kind](**{name: value for name, value in transform.items() if name in accepted})
