"""How a data set is encrypted: what the manifest calls its parameters."""

from dataclasses import asdict, dataclass
from functools import cached_property

from ..encryption import MixupParams, ShuffleParams, checks

STRATEGIES = ('shuffle', 'mixup', 'both')
FITS = ('crop', 'resize', 'pad')
EXTENSIONS = {'png': '.png', 'webp': '.webp', 'jpeg': '.jpg', 'shards': '.png'}
JPEG_BLOCK = 8  # pixels: JPEG is written without chroma subsampling


@dataclass(frozen=True)
class Settings:
    """Everything that decides the bytes of an encrypted copy, but the key.

    Args:
        strategy: 'shuffle', 'mixup', or 'both': mix, then shuffle what is left.
        patch_size: an int, or (h, w), of the plain image, in pixels.
        gap, drop_ratio, orient, window: see :class:`ShuffleParams`.
        grid: see :class:`MixupParams`.
        size: None, (w, h), or an int: the length of the short side.
        fit: 'crop', 'resize' or 'pad': how an image comes to ``size``, and to
            a multiple of the patch size. None with no ``size``: images that
            are no multiple are rejected.
        format: 'png', 'webp', 'jpeg' or 'shards'.
        rename: replace file names by keyed pseudonyms.
        shard_size: images a tar file.

    Raises:
        TypeError, ValueError: a value that is not accepted.
    """

    strategy: str = 'shuffle'
    patch_size: object = 16
    gap: int = 0
    drop_ratio: float = 0.0
    orient: bool = False
    window: object = None
    grid: int = 2
    size: object = None
    fit: object = None
    format: str = 'png'
    rename: bool = False
    shard_size: int = 1000

    def __post_init__(self):
        checks.one_of('strategy', self.strategy, STRATEGIES)
        checks.one_of('format', self.format, tuple(EXTENSIONS))
        checks.whole('shard size', self.shard_size, 1)
        object.__setattr__(self, 'patch_size', checks.pair('patch_size', self.patch_size, 1))
        if self.size is not None:
            object.__setattr__(self, 'fit', self.fit or 'crop')
            if not isinstance(self.size, int):
                object.__setattr__(self, 'size', checks.pair('size', tuple(self.size), 1))
        if self.fit is not None:
            checks.one_of('fit', self.fit, FITS)
        self._check_steps()

    def _check_steps(self):
        """Raise where the steps and the format or size do not go together."""
        core, (ph, pw) = self.steps[-1].core_size, self.patch_size
        if self.strategy == 'mixup' and (self.gap or self.drop_ratio or self.orient or self.window):
            raise ValueError('gap, drop_ratio, orient and window belong to shuffling; strategy mixup shuffles nothing')
        if self.strategy == 'shuffle' and self.grid != 2:
            raise ValueError(f'grid {self.grid} belongs to mixing; strategy shuffle mixes nothing')
        if self.format != 'shards' and self.shard_size != 1000:
            raise ValueError(f'shard size {self.shard_size} belongs to format shards, and this is {self.format}')
        if self.format == 'jpeg' and any(side % JPEG_BLOCK for side in core):
            raise ValueError(
                f'format jpeg needs encrypted patches that are whole blocks of {JPEG_BLOCK} x {JPEG_BLOCK} pixels, '
                f'and these are {core[0]} x {core[1]} (h x w): blocks across two patches would smear one into the other'
            )
        if isinstance(self.size, tuple) and (self.size[1] % ph or self.size[0] % pw):
            w, h = self.size
            near = max(pw, round(w / pw) * pw), max(ph, round(h / ph) * ph)
            raise ValueError(
                f'size {w}x{h} (w x h) is no multiple of the patch, {pw}x{ph}; {near[0]}x{near[1]} is the nearest'
            )

    @cached_property
    def remainder(self):
        """What the plan does where a side is no multiple of the patch size."""
        if isinstance(self.size, tuple) or self.fit in (None, 'resize'):
            return 'error'
        return self.fit

    @cached_property
    def steps(self):
        """The parameters of each step, in order.

        The shuffle of 'both' never meets a remainder, so it has the default
        ``remainder='error'``, as ``PatchShuffle`` in a pipeline has.
        """
        mix = [] if self.strategy == 'shuffle' else [MixupParams(self.patch_size, self.grid, self.remainder)]
        if self.strategy == 'mixup':
            return mix
        side = tuple(s // self.grid for s in self.patch_size) if mix else self.patch_size
        remainder = 'error' if mix else self.remainder
        return [*mix, ShuffleParams(side, self.gap, self.drop_ratio, self.orient, self.window, remainder)]

    @property
    def extension(self):
        """The extension of the files written, with its dot."""
        return EXTENSIONS[self.format]

    def plans(self, key, image_id, plain_hw):
        """The plan of each step for an image of (h, w).

        Raises:
            ValueError: an image that cannot be cut like this.
        """
        plans, shape = [], tuple(plain_hw)
        for params in self.steps:
            source = key.source(params, image_id) if isinstance(params, ShuffleParams) else None
            plans.append(params.plan(shape, source))
            shape = plans[-1].encrypted_shape
        return plans

    def to_json(self):
        """What the manifest says of it: JSON values; patch sizes are [h, w], ``size`` is [w, h]."""
        values = asdict(self)
        for name in ('patch_size', 'size'):
            if isinstance(values[name], tuple):
                values[name] = list(values[name])
        if self.strategy == 'shuffle':
            del values['grid']
        if self.strategy == 'mixup':
            for name in ('gap', 'drop_ratio', 'orient', 'window'):
                del values[name]
        if self.format != 'shards':
            del values['shard_size']
        values['encrypted_patch_size'] = list(self.steps[-1].core_size)
        return values

    @classmethod
    def from_json(cls, values):
        """Undo :meth:`to_json`.

        Raises:
            TypeError, ValueError: not such values.
        """
        if not isinstance(values, dict):
            raise TypeError(f'parameters must be an object, got {values!r}')
        given = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k != 'encrypted_patch_size'}
        return cls(**given)


def parse_size(text):
    """'640x480' -> (640, 480), 'short:256' -> 256.

    Raises:
        ValueError: neither.
    """
    kind, _, number = text.partition(':')
    if kind == 'short' and number.isdecimal() and int(number):
        return int(number)
    w, _, h = text.partition('x')
    if w.isdecimal() and h.isdecimal() and int(w) and int(h):
        return int(w), int(h)
    raise ValueError(f'size must be WxH or short:N, got {text!r}')
