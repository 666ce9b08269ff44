"""A scheme: the description of an encryption that all rooms share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InvalidTypeError, InvalidValueError
from ..named import parameters
from . import checks
from .keyed import keyed_source
from .keys import MasterKey
from .mixup import MixupParams
from .plan import Plan
from .shuffle import RandomSource, ShuffleParams

STRATEGIES = ('shuffle', 'mixup', 'both')
TRANSFORMS = {'PatchMixup': MixupParams, 'PatchShuffle': ShuffleParams}
OF_SHUFFLE = ('gap', 'drop_ratio', 'orient', 'window', 'tone', 'noise')


@dataclass(frozen=True, init=False, repr=False)
class Scheme:
    """Mixing, shuffling, or mixing followed by shuffling. All of it is public.

    Args:
        patch_size: side of a patch of the plain image, or (h, w), in pixels.
        strategy: 'shuffle' (RS), 'mixup' (MI), or 'both': mix, then shuffle
            the mixed patches.
        gap: pixels removed on every side of each patch; with 'both' pixels of
            the mixed image.
        drop_ratio: least share of patches thrown away, in [0, 1).
        orient: turn and mirror each patch at random.
        window: permute only within windows of this many by this many patches.
        tone: change the order of the colours, the direction and the level of each
            channel of each patch at random, without loss.
        noise: standard deviation of the noise on each value, in levels of 8 bits, at most 128.
        grid: see :class:`.mixup.MixupParams`.
        remainder: 'error', 'pad' or 'crop', where the image is not a multiple
            of the patch size.

    Attributes:
        mixup: the :class:`.mixup.MixupParams`, or None.
        shuffle: the :class:`.shuffle.ShuffleParams`, or None.

    Raises:
        InvalidTypeError, InvalidValueError: a value that is not accepted, or
            an option of a step that the strategy does not have.

    >>> Scheme(patch_size=16, gap=2)
    Scheme(RS p 16, gap 2)
    >>> Scheme(patch_size=16, gap=2).core_size
    (12, 12)
    """

    mixup: MixupParams | None
    shuffle: ShuffleParams | None

    def __init__(
        self,
        patch_size: int | tuple[int, int] = 16,
        *,
        strategy: str = 'shuffle',
        gap: int = 0,
        drop_ratio: float = 0.0,
        orient: bool = False,
        window: int | None = None,
        tone: bool = False,
        noise: int = 0,
        grid: int = 2,
        remainder: str = 'error',
    ) -> None:
        checks.one_of('strategy', strategy, STRATEGIES)
        if strategy == 'mixup' and (gap or drop_ratio or orient or window or tone or noise):
            raise InvalidValueError(
                "gap, drop_ratio, orient, window, tone and noise need a shuffle; strategy 'mixup' has none"
            )
        if strategy == 'shuffle' and grid != 2:
            raise InvalidValueError(f"grid {grid} needs mixing; strategy 'shuffle' has none")
        side, mixup, shuffle = patch_size, None, None
        if strategy != 'shuffle':
            mixup = MixupParams(patch_size, grid, remainder)
            side, remainder = mixup.core_size, 'error'  # mixed images never have a remainder
        if strategy != 'mixup':
            shuffle = ShuffleParams(side, gap, drop_ratio, orient, window, remainder, tone, noise)
        self._set(mixup, shuffle)

    def _set(self, mixup: MixupParams | None, shuffle: ShuffleParams | None) -> None:
        object.__setattr__(self, 'mixup', mixup)
        object.__setattr__(self, 'shuffle', shuffle)

    @classmethod
    def from_steps(cls, *steps: MixupParams | ShuffleParams) -> Scheme:
        """Build a scheme from the parameters of its steps.

        Args:
            steps: mixing, shuffling, or mixing and then shuffling. The patches
                of the shuffle need not be the mixed ones.

        Raises:
            InvalidValueError: no step, two of one kind, or a shuffle before the mixing.
        """
        kinds = [type(step) for step in steps]
        if kinds not in ([MixupParams], [ShuffleParams], [MixupParams, ShuffleParams]):
            raise InvalidValueError(f'steps must be mixing, shuffling, or mixing and then shuffling, got {steps}')
        scheme = cls.__new__(cls)
        mixup = next((step for step in steps if isinstance(step, MixupParams)), None)
        shuffle = next((step for step in steps if isinstance(step, ShuffleParams)), None)
        scheme._set(mixup, shuffle)
        return scheme

    @classmethod
    def preset(cls, name: str) -> Scheme:
        """Build the scheme of a preset.

        Args:
            name: see :mod:`hii_mm.named`; without a version it is the newest one.

        Raises:
            InvalidValueError: not a preset.

        >>> Scheme.preset('mixed-v1')
        Scheme(RS on MI p 16, grid 2, gap 1)
        """
        return cls(**parameters(name))

    @classmethod
    def from_config(cls, config: Any) -> Scheme:
        """Build the scheme of the first pipeline that encrypts.

        Args:
            config: an mm config (with ``to_dict``), or a dict of one, or a
                pipeline, a list of dicts.

        Raises:
            InvalidValueError: no ``PatchShuffle`` or ``PatchMixup`` in a pipeline.
        """
        config = config.to_dict() if hasattr(config, 'to_dict') else config
        for pipeline in _pipelines(config):
            steps = [step for entry in _flat(pipeline) if (step := _step(entry)) is not None]
            if steps:
                return cls.from_steps(*steps)
        raise InvalidValueError(f'no {" or ".join(sorted(TRANSFORMS))} in a pipeline of the config')

    @classmethod
    def from_manifest(cls, manifest: Any) -> Scheme:
        """Build the scheme of an encrypted copy.

        Args:
            manifest: a :class:`hii_mm.handover.Manifest`, the content of a
                ``manifest.json``, or its ``parameters``.

        Raises:
            InvalidTypeError, InvalidValueError: not such values.
        """
        values = getattr(manifest, 'head', manifest)
        values = values.get('parameters', values) if isinstance(values, Mapping) else values
        if not isinstance(values, Mapping):
            raise InvalidTypeError(f'manifest must hold an object of parameters, got {values!r}')
        names = ('patch_size', 'strategy', 'grid', *OF_SHUFFLE)
        given = {name: values[name] for name in names if name in values}
        return cls(**given, remainder=remainder_of(values.get('size'), values.get('fit')))

    @property
    def steps(self) -> tuple[MixupParams | ShuffleParams, ...]:
        """The parameters of the steps that are there, in order."""
        return tuple(step for step in (self.mixup, self.shuffle) if step is not None)

    @property
    def strategy(self) -> str:
        """'shuffle', 'mixup' or 'both'."""
        return 'both' if self.mixup and self.shuffle else 'mixup' if self.mixup else 'shuffle'

    @property
    def patch_size(self) -> tuple[int, int]:
        """(h, w) of a patch of the plain image, in pixels."""
        return self.steps[0].patch_size

    @property
    def core_size(self) -> tuple[int, int]:
        """(h, w) of a patch of the encrypted image, in pixels: the model's patch size."""
        return self.steps[-1].core_size

    @property
    def remainder(self) -> str:
        """'error', 'pad' or 'crop'."""
        return self.steps[0].remainder

    def with_remainder(self, remainder: str) -> Scheme:
        """Return the same scheme with another ``remainder``."""
        first, *rest = self.steps
        return type(self).from_steps(replace(first, remainder=remainder), *rest)

    @property
    def label(self) -> str:
        """A short name for tables, such as ``'RS p 16, gap 2, drop 25%'``; different for different schemes."""
        rs, mi = self.shuffle, self.mixup
        h, w = self.patch_size
        words = [f'p {h}' if h == w else f'p {h} x {w}']
        if mi:
            words.append(f'grid {mi.grid}')
        if rs:
            words.append(f'gap {rs.gap}')
            words += [f'drop {100 * rs.drop_ratio:.12g}%'] if rs.drop_ratio else []
            words += ['orient'] if rs.orient else []
            words += [f'window {rs.window}'] if rs.window else []
            words += ['tone'] if rs.tone else []
            words += [f'noise {rs.noise}'] if rs.noise else []
        return {'both': 'RS on MI', 'mixup': 'MI', 'shuffle': 'RS'}[self.strategy] + ' ' + ', '.join(words)

    def __repr__(self) -> str:
        remainder = '' if self.remainder == 'error' else f', remainder {self.remainder}'
        return f'{type(self).__name__}({self.label}{remainder})'

    def plan(
        self,
        shape: Sequence[int],
        rng: RandomSource | None = None,
        *,
        key: MasterKey | None = None,
        image_id: str | None = None,
        dataset_id: str | bytes | None = None,
    ) -> Plan:
        """Sample what is done to one image.

        Args:
            shape: (h, w), or the whole shape of the image.
            rng: draws a fresh plan; a :class:`numpy.random.Generator`.
            key: derives the plan from a key instead.
            image_id: with ``key``: see :func:`.keyed.image_id`.
            dataset_id: with ``key``: the id of the data set, 32 hex digits as
                in a manifest, or 16 bytes.

        Raises:
            InvalidValueError: a size that cannot be cut into patches, or
                neither or both of ``rng`` and ``key`` where patches are shuffled.
        """
        h, w = shape[:2]
        mixup = self.mixup.plan((h, w)) if self.mixup else None
        if self.shuffle is None:
            return Plan(mixup, None)
        shuffled = mixup.encrypted_shape if mixup else (h, w)
        if rng is None and key is not None and image_id is not None and dataset_id is not None:
            rng = keyed_source(key, self.shuffle, shuffled, image_id=image_id, dataset_id=dataset_id)
        elif rng is None or not (key is None and image_id is None and dataset_id is None):
            raise InvalidValueError('a shuffle needs either rng, or key, image_id and dataset_id')
        return Plan(mixup, self.shuffle.plan(shuffled, rng))


def remainder_of(size: Any, fit: str | None) -> str:
    """Return the ``remainder`` of images that were brought to ``size`` by ``fit``, as a manifest names them.

    Args:
        size: None, the length of the short side, or a pair: a whole number of patches.
        fit: None, 'crop', 'resize' or 'pad'.
    """
    if isinstance(size, (tuple, list)) or fit in (None, 'resize'):
        return 'error'
    return fit


def _pipelines(config: Any) -> Iterator[list[Any]]:
    """Yield the pipelines in a config of dicts and lists, in order; a list of transforms is one itself."""
    if isinstance(config, (list, tuple)) and any(isinstance(entry, Mapping) and 'type' in entry for entry in config):
        yield list(config)
    items = config.items() if isinstance(config, Mapping) else ()
    for name, value in items if items else enumerate(config) if isinstance(config, (list, tuple)) else ():
        if str(name).endswith('pipeline') and isinstance(value, (list, tuple)):
            yield list(value)
        elif isinstance(value, (Mapping, list, tuple)):
            yield from _pipelines(value)


def _flat(pipeline: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the dicts of a pipeline; those inside RandomChoice and the like follow their wrapper."""
    for entry in pipeline if isinstance(pipeline, (list, tuple)) else [pipeline]:
        if isinstance(entry, Mapping):
            yield entry
            yield from _flat(entry.get('transforms') or ())
        elif isinstance(entry, (list, tuple)):
            yield from _flat(entry)


def _step(entry: Mapping[str, Any]) -> MixupParams | ShuffleParams | None:
    """Return the parameters of an encrypting transform, or None for another one."""
    kind = entry.get('type')
    name = kind.rpartition('.')[2] if isinstance(kind, str) else getattr(kind, '__name__', '')
    params: Any = TRANSFORMS.get(name)
    if params is None:
        return None
    given = {key: value for key, value in entry.items() if key in params.__dataclass_fields__}
    if entry.get('preset') is None:
        return params(**given)
    return preset_step(name, entry['preset'], given.get('remainder', 'error'))


def preset_step(transform: str, name: str, remainder: str = 'error') -> MixupParams | ShuffleParams:
    """Return the parameters of an encrypting transform that takes its part of a preset.

    Args:
        transform: 'PatchMixup' or 'PatchShuffle'.
        name: of the preset.
        remainder: of the transform.

    Raises:
        InvalidValueError: not a preset, or one without this part.
    """
    scheme = Scheme.preset(name)
    step = scheme.mixup if transform == 'PatchMixup' else scheme.shuffle
    if step is None:
        other = next(one for one in TRANSFORMS if one != transform)
        raise InvalidValueError(f'preset {name!r} ({scheme.label}) has no {transform}, but a {other} alone')
    return replace(step, remainder=remainder)
