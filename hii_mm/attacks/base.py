"""What an attack is: the contract, the public knowledge it gets, and the names of all attacks.

NumPy only; neither torch nor mm* is imported. An attack never gets a key or a
plan: only the encrypted image, the public parameters and what its
:class:`Given` holds.
"""

import importlib
import inspect
import time
from dataclasses import dataclass, field, replace

import numpy as np

from ..encryption import MixupParams, PatchGrid, ShuffleParams
from ..encryption.shuffle import kept_shape

_MODULES = (
    'identity',
    'jigsaw',
    'mixing',
    'linkage',
    'known',
    'views',
    'learned_edge',
    'position',
    'unet',
    'parrot',
    'gradient',
)
_ATTACKS = {}


@dataclass(frozen=True)
class Setting:
    """The public parameters of an encrypted data set.

    Args:
        steps: :class:`MixupParams` and :class:`ShuffleParams`, in the order
            in which they were applied; at most one of each, mixing first.
        plain_shape: (h, w) of the plain image, or None where it is not known.

    Raises:
        ValueError: no step, two of one kind, or a shuffle before the mixing.
    """

    steps: tuple
    plain_shape: object = None

    def __post_init__(self):
        object.__setattr__(self, 'steps', tuple(self.steps))
        kinds = [type(step) for step in self.steps]
        if kinds not in ([MixupParams], [ShuffleParams], [MixupParams, ShuffleParams]):
            raise ValueError(f'steps must be mixing, shuffling, or mixing and then shuffling, got {self.steps}')

    @property
    def mixup(self):
        """The :class:`MixupParams`, or None."""
        return next((step for step in self.steps if isinstance(step, MixupParams)), None)

    @property
    def shuffle(self):
        """The :class:`ShuffleParams`, or None."""
        return next((step for step in self.steps if isinstance(step, ShuffleParams)), None)

    def name(self):
        """A short name for tables, such as ``'RS p 16, gap 2, drop 25%'``; others at other values."""
        words = ['RS on MI' if self.mixup and self.shuffle else 'MI' if self.mixup else 'RS']
        rs = self.shuffle
        sizes = self.mixup.patch_size if self.mixup else rs.patch_size
        words.append(f'p {sizes[0]}' if sizes[0] == sizes[1] else f'p {sizes[0]} x {sizes[1]}')
        if self.mixup:
            words.append(f'grid {self.mixup.grid}')
        if rs:
            words.append(f'gap {rs.gap}')
            words += [f'drop {100 * rs.drop_ratio:.12g}%'] if rs.drop_ratio else []
            words += ['orient'] if rs.orient else []
            words += [f'window {rs.window}'] if rs.window else []
        return words[0] + ' ' + ', '.join(words[1:])

    def places(self, encrypted_shape):
        """(rows, columns) of pieces in an encrypted image of (h, w).

        Raises:
            ValueError: its size is no multiple of a piece, or it holds fewer
                than two of them.
        """
        (h, w), (ch, cw) = encrypted_shape[:2], self.shuffle.core_size
        if h % ch or w % cw or h * w < 2 * ch * cw:
            raise ValueError(
                f'an encrypted image of {h} x {w} (h x w) does not hold two or more pieces of {ch} x {cw}: '
                'check patch_size, gap and grid'
            )
        return h // ch, w // cw

    def plain_grid(self, encrypted_shape):
        """(rows, columns) of the grid the pieces came from: known, or the smallest square-like guess.

        Without ``drop_ratio`` it is that of the encrypted image.
        """
        rows, cols = self.places(encrypted_shape)
        if not self.shuffle.drop_ratio:
            return rows, cols
        if self.plain_shape is not None:
            shape = self.plain_shape
            for step in self.steps[:-1]:
                shape = step.plan(shape).encrypted_shape
            return PatchGrid(shape, self.shuffle.patch_size, self.shuffle.remainder).shape
        ratio = self.shuffle.drop_ratio
        sides = [(r, c) for r in range(rows, 3 * rows + 2) for c in range(cols, 3 * cols + 2)]
        fitting = [s for s in sides if kept_shape(s, ratio) == (rows, cols)]
        return min(fitting, key=lambda s: (s[0] * s[1], abs(s[0] - s[1]))) if fitting else (2 * rows, 2 * cols)

    def encrypt(self, image, rng):
        """Encrypt (H, W[, C]) as an owner would; ``(encrypted, plans)``, one plan a step."""
        plans = []
        for step in self.steps:
            plans.append(step.plan(image.shape, rng))
            image = plans[-1].apply(image)
        return image, plans


@dataclass(frozen=True)
class Given:
    """What an attacker may have beside the encrypted image. Everything is optional.

    Attributes:
        public: plain photos to learn from, (H, W, 3) uint8 each; never the victim's.
        candidates: plain photos, one of which the encrypted image may show.
        pairs: (plain, encrypted) of other images under the same permutation.
        views: encrypted images of the same plain one, the attacked one first, with the
            shift (down, right) in pixels of each crop: a list of (image, (dy, dx)).
    """

    public: tuple = ()
    candidates: tuple = ()
    pairs: tuple = ()
    views: tuple = ()


@dataclass(frozen=True)
class Recovery:
    """What an attack returns.

    Attributes:
        image: the reconstruction, (H, W, 3) uint8, of the plain size where that is known; or None.
        places: int64 (rows, columns): the piece of the encrypted image (row by row) that
            belongs there, -1 for none; or None.
        turns: int64 (rows, columns): how the piece is turned before it is put there, as
            :class:`hii_mm.encryption.ShufflePlan` counts; or None.
        confidence: in [0, 1], the attack's own opinion of the whole.
        ranking: candidates from the likeliest on; or None.
        seconds: time taken.
    """

    image: object = None
    places: object = None
    turns: object = None
    confidence: float = 0.0
    ranking: object = None
    seconds: float = 0.0
    extra: dict = field(default_factory=dict)


class Attack:
    """Base of all attacks. One instance attacks one setting.

    Subclasses set ``name``, ``source`` (where the idea is from), ``cost`` (in words),
    ``needs`` (fields of :class:`Given` that must not be empty), ``supposing``, ``beside``, and
    write :meth:`refuses` and :meth:`_recover`; learned ones :meth:`prepare`.
    """

    name, source, cost, needs = '', '', '', ()
    supposing = ''  # what a verdict says is supposed, as in 'one permutation for all images'
    beside = ''  # the attack that this one wants to beat; the verdict says by how much it does, or does not

    def refuses(self, setting):
        """Why this attack has nothing to do at a setting, or None."""
        return

    def prepare(self, setting, given):
        """Learn from public photos, once a setting. Most attacks need no such thing."""

    def recover(self, image, setting, given=None):
        """Attack one encrypted image.

        Args:
            image: (H, W) or (H, W, C), uint8, uint16 or float32.
            setting: the :class:`Setting`.
            given: what else the attacker has, a :class:`Given`.

        Returns:
            Recovery

        Raises:
            ValueError: the image does not fit the setting, or something in
                ``needs`` is missing.
        """
        given = given or Given()
        missing = [name for name in self.needs if not len(getattr(given, name))]
        why = self.refuses(setting) or (f'needs {" and ".join(missing)}' if missing else None)
        if why:
            raise ValueError(f'{self.name}: {why}')
        start = time.perf_counter()
        found = self._recover(np.asarray(image), setting, given)
        return replace(found, seconds=time.perf_counter() - start)

    def _recover(self, image, setting, given):
        raise NotImplementedError


def register(cls):
    """Class decorator: make an attack known by its ``name``.

    Raises:
        ValueError: no name, or one that is taken.
    """
    if not cls.name or _ATTACKS.get(cls.name, cls).__qualname__ != cls.__qualname__:
        raise ValueError(f'an attack needs a name of its own, got {cls.name!r}; taken: {", ".join(_ATTACKS)}')
    _ATTACKS[cls.name] = cls
    return cls


def attack_names():
    """All registered names, ours first."""
    for module in _MODULES:
        importlib.import_module(f'{__package__}.{module}')
    ours = [f'{__package__}.{module}' for module in _MODULES]
    return sorted(_ATTACKS, key=lambda name: (*ours, _ATTACKS[name].__module__).index(_ATTACKS[name].__module__))


def make(name, **options):
    """The attack of that name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    names = attack_names()
    if name not in names:
        raise ValueError(f'attack must be one of {", ".join(names)}, got {name!r}')
    return _ATTACKS[name](**options)


def takes_checkpoint(name):
    """Is the attack of that name one that is made with a checkpoint?"""
    return 'checkpoint' in inspect.signature(_ATTACKS[name]).parameters
