"""Encryption comes last: what notices a geometric transform that comes later.

A flip or a resize of an encrypted image no longer moves the picture but cuts
across its patches. :func:`late_transforms` finds it in a config before
anything runs; :class:`EncryptedResults` finds it in any pipeline while it runs.
"""

import sys

from mmcv.transforms import BaseTransform

# mmcv's, mmdet's and mmpretrain's transforms that move, cut or paste pixels, or may.
GEOMETRIC = frozenset(
    [
        'Albu',
        'Albumentations',
        'AutoAugment',
        'CachedMixUp',
        'CachedMosaic',
        'CenterCrop',
        'CopyPaste',
        'CutOut',
        'Cutout',
        'EfficientNetCenterCrop',
        'EfficientNetRandomCrop',
        'Expand',
        'FixScaleResize',
        'FixShapeResize',
        'GeomTransform',
        'InstaBoost',
        'MAERandomResizedCrop',
        'MinIoURandomCrop',
        'MixUp',
        'Mosaic',
        'MultiScaleFlipAug',
        'Pad',
        'RandAugment',
        'RandomAffine',
        'RandomCenterCropPad',
        'RandomChoiceResize',
        'RandomCrop',
        'RandomErasing',
        'RandomFlip',
        'RandomFlip_GLIP',
        'RandomResize',
        'RandomResizedCrop',
        'RandomResizedCropAndInterpolationWithTwoPic',
        'RandomShift',
        'RandomTranslatePad',
        'Resize',
        'ResizeEdge',
        'ResizeShortestEdge',
        'Rotate',
        'Shear',
        'ShearX',
        'ShearY',
        'Translate',
        'TranslateX',
        'TranslateY',
    ]
)
ENCRYPTING = frozenset({'PatchMixup', 'PatchShuffle'})


def _too_late(name, by):
    return (
        f'{name} comes after {by} and would cut across the patches of an encrypted image; '
        f'put {name} before {by}, which comes last before Pack*Inputs'
    )


class EncryptedResults(dict):
    """Results whose image is encrypted: a dict that refuses geometric transforms.

    Attributes:
        encrypted_by (str): Name of the transform that encrypted the image.
    """

    encrypted_by = None

    @classmethod
    def wrap(cls, results, transform):
        """``results`` as such a dict, encrypted by ``transform``."""
        wrapped = results if isinstance(results, cls) else cls(results)
        wrapped.encrypted_by = type(transform).__name__
        return wrapped

    def __setitem__(self, key, value):
        self._check(sys._getframe(1).f_locals.get('self'), {key: value})
        super().__setitem__(key, value)

    def update(self, *args, **kwargs):
        """As dict's, with the check."""
        new = dict(*args, **kwargs)
        self._check(sys._getframe(1).f_locals.get('self'), new)
        super().update(new)

    def copy(self):
        """As dict's, but still such a dict."""
        new = type(self)(self)
        new.encrypted_by = self.encrypted_by
        return new

    def _check(self, caller, new):
        """Raise if ``caller`` is a transform that changes the image's geometry.

        Raises:
            ValueError: naming both transforms.
        """
        names = {base.__name__ for base in type(caller).__mro__}
        if not isinstance(caller, BaseTransform) or names & ENCRYPTING:
            return
        old, img = self.get('img'), new.get('img')
        resized = hasattr(img, 'shape') and hasattr(old, 'shape') and img.shape[:2] != old.shape[:2]
        if names & GEOMETRIC or resized:
            raise ValueError(_too_late(type(caller).__name__, self.encrypted_by))


def transform_name(cfg):
    """Class name of a transform's config, without its scope."""
    kind = cfg.get('type', '')
    return kind.rpartition('.')[2] if isinstance(kind, str) else getattr(kind, '__name__', str(kind))


def _flat(pipeline):
    """The configs in a pipeline, with those inside RandomChoice and its like after their wrapper."""
    for cfg in pipeline:
        if isinstance(cfg, (list, tuple)):
            yield from _flat(cfg)
        elif isinstance(cfg, dict):
            yield cfg
            inside = cfg.get('transforms') or ()
            yield from _flat([inside] if isinstance(inside, dict) else inside)


def encrypting_transforms(pipeline):
    """The configs in ``pipeline`` that encrypt, in order."""
    return [cfg for cfg in _flat(pipeline) if transform_name(cfg) in ENCRYPTING]


def late_transforms(pipeline):
    """What is wrong with the order of a pipeline.

    Args:
        pipeline (list[dict]): Configs of transforms.

    Returns:
        list[str]: One sentence a geometric transform behind an encrypting one.
    """
    problems, by = [], None
    for cfg in _flat(pipeline):
        name = transform_name(cfg)
        if by and name in GEOMETRIC:
            problems.append(_too_late(name, by))
        if name in ENCRYPTING:
            by = name
    return problems


def pipelines(cfg, where=''):
    """Every pipeline in a config: yields (dotted place, list of transform configs)."""
    items = cfg.items() if isinstance(cfg, dict) else enumerate(cfg) if isinstance(cfg, (list, tuple)) else ()
    for key, value in items:
        place = f'{where}.{key}'.lstrip('.')
        transforms = value if str(key).endswith('pipeline') and isinstance(value, (list, tuple)) else ()
        if transforms and all(isinstance(entry, dict) for entry in transforms):
            yield place, list(transforms)
        yield from pipelines(value, place)
