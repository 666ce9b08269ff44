"""The contract of an attack: its input, its result and its description.

NumPy only. An attack never receives a key or a plan: only the encrypted image,
the public scheme and what :class:`Given` holds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np

from ..encryption import Scheme
from ..errors import AttackRefusedError, InvalidValueError
from ..progress import Progress, silent

ATTACKS: dict[str, type[Attack]] = {}
NEEDS = ('public', 'candidates', 'pairs', 'views', 'annotations')


@dataclass(frozen=True)
class Given:
    """Knowledge of an attacker beside the encrypted image. Everything is optional.

    Attributes:
        plain_shape: (h, w) of the plain image, where it is known.
        public: plain photos to learn from, (H, W, 3) uint8 each; never the victim's.
        candidates: plain photos; the encrypted image may show one of them.
        pairs: (plain, encrypted) of other images under the same permutation.
        views: encrypted images of the same plain one, the attacked one first,
            each with the shift (down, right) of its crop in pixels.
        annotations: objects of the encrypted image as COCO has them, one dict each,
            in the encrypted frame.
    """

    plain_shape: tuple[int, int] | None = None
    public: Sequence[np.ndarray] = ()
    candidates: Sequence[np.ndarray] = ()
    pairs: Sequence[tuple[np.ndarray, np.ndarray]] = ()
    views: Sequence[tuple[np.ndarray, tuple[int, int]]] = ()
    annotations: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Recovery:
    """The result of an attack. Every part is optional.

    Attributes:
        image: the reconstruction, (H, W, 3) uint8, of the plain size where it is known.
        places: int64 (rows, columns), the piece of the encrypted image, counted
            row by row, that belongs at each place; -1 for none.
        turns: int64 (rows, columns), how each piece is turned before it is put
            there, as :mod:`hii_mm.encryption.turns` counts.
        scores: float32 (n, n) twice: how likely piece j is right of, and below, piece i.
        ranking: int (candidates,), the candidates from the likeliest on.
        raw: ``image`` before anything was guessed, (h, w, 3) uint8; None if nothing was.
        confidence: in [0, 1], the attack's own opinion of the whole.
        facts: anything else that it found, as JSON holds it; goes into the results.
        seconds: CPU seconds of all threads; set by :meth:`Attack.recover`.
    """

    image: np.ndarray | None = None
    places: np.ndarray | None = None
    turns: np.ndarray | None = None
    scores: tuple[np.ndarray, np.ndarray] | None = None
    ranking: np.ndarray | None = None
    raw: np.ndarray | None = None
    confidence: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Figures:
    """The figures of one attack on one scheme, for :meth:`Attack.words`.

    Attributes:
        means: mean of each metric that was measured, such as ``means['neighbour']``.
        worst: mean of the tenth of the runs in which most was recovered, likewise.
        floors: ``{floor: {metric: mean}}``: what costs no attack, such as 'chance' and 'encrypted'.
        facts: what :meth:`Attack.summarise` made of the facts of all runs.
        dropped: share of the patches that were dropped, or None.
        missing: share of the pixels that are not in the encrypted image, or None.
    """

    means: Mapping[str, float]
    worst: Mapping[str, float]
    floors: Mapping[str, Mapping[str, float]]
    facts: Mapping[str, Any]
    dropped: float | None = None
    missing: float | None = None


class Trainer(Protocol):
    """Trainer of an attack that learns. ``Attack.trainer`` names the class.

    Attributes:
        steps: default number of training steps.
        labelled: the photos need labels: one folder a class.
    """

    steps: ClassVar[int]
    labelled: ClassVar[bool]

    def __init__(self, scheme: Scheme, shape: tuple[int, int], seed: int = 0) -> None:
        """Prepare.

        Args:
            scheme: that is attacked.
            shape: (h, w) of the images that are attacked, in pixels.
            seed: of crops and weights.

        Raises:
            AttackRefusedError: nothing can be learned at this scheme or size.
        """

    def train(
        self,
        photos: Sequence[np.ndarray],
        labels: Sequence[str] | None = None,
        steps: int | None = None,
        progress: Progress = silent,
    ) -> list[float]:
        """Train on public photos, (H, W, 3) uint8 each, and return the losses.

        Raises:
            InvalidValueError: photos or labels that it cannot learn from.
        """

    def save(self, path: str) -> None:
        """Write the checkpoint, which the attack takes as ``checkpoint``."""


@runtime_checkable
class Resumable(Trainer, Protocol):
    """Trainer that keeps an unfinished checkpoint, which attacks can use and a training can go on from.

    Attributes:
        part: where it is kept; None keeps none.
    """

    part: Path | None

    def resume(self, path: Path) -> None:
        """Go on with an unfinished training at the next :meth:`train`.

        Raises:
            CheckpointError: not an unfinished checkpoint of this scheme and seed.
            OSError: it cannot be read.
        """


class Attack:
    """Base of all attacks. One instance attacks one scheme.

    A subclass sets the class attributes, and writes :meth:`refuses` and
    :meth:`_recover`; one that learns also :meth:`prepare`.

    Attributes:
        name: unique; what ``--attacks`` takes.
        source: where the idea comes from.
        cost: in words.
        needs: fields of :class:`Given` that must not be empty. The runner provides them.
        uses: fields of :class:`Given` that are welcome, but may be empty.
        supposing: what a verdict says is supposed, such as 'one permutation for all images'.
        beside: name of the attack that this one is meant to beat; the verdict says by how much it does.
        main: the metric that ranks images; None takes the first of neighbour, PSNR and SSIM that was measured.
        trainer: the class that trains it; None for attacks that do not learn. Such
            an attack takes ``checkpoint``, a path or None, as an argument.
    """

    name: ClassVar[str] = ''
    source: ClassVar[str] = ''
    cost: ClassVar[str] = ''
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ()
    supposing: ClassVar[str] = ''
    beside: ClassVar[str] = ''
    main: ClassVar[str | None] = None
    trainer: ClassVar[type[Trainer] | None] = None

    def refuses(self, scheme: Scheme) -> str | None:
        """Return why this attack does not apply to a scheme, or None if it does."""
        return None

    def prepare(self, scheme: Scheme, given: Given) -> None:
        """Learn from public photos or load a checkpoint, once for a scheme."""

    def recover(self, image: np.ndarray, scheme: Scheme, given: Given | None = None) -> Recovery:
        """Attack one encrypted image.

        Args:
            image: (H, W) or (H, W, C), uint8, uint16 or float32.
            scheme: how it was encrypted.
            given: what else the attacker has.

        Raises:
            AttackRefusedError: the attack does not apply, or something in
                ``needs`` is missing.
            InvalidValueError: the image does not fit the scheme.
        """
        given = given or Given()
        missing = [name for name in self.needs if not len(getattr(given, name))]
        why = self.refuses(scheme) or (f'needs {" and ".join(missing)}' if missing else None)
        if why:
            raise AttackRefusedError(f'{self.name}: {why}')
        start = time.process_time()
        found = self._recover(np.asarray(image), scheme, given)
        return replace(found, seconds=time.process_time() - start)

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        raise NotImplementedError

    @classmethod
    def summarise(cls, facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Merge the facts of several runs into one object that JSON can hold, for the report."""
        return {}

    @classmethod
    def words(cls, figures: Figures) -> str | None:
        """Return what was recovered, in sentences that replace the report's own about pieces and likeness; or None."""
        return None


AttackClass = TypeVar('AttackClass', bound=type[Attack])


def register(cls: AttackClass) -> AttackClass:
    """Class decorator: register an attack under its ``name``.

    Raises:
        InvalidValueError: no name, a name that is taken, or unknown needs or uses.
    """
    if not cls.name or ATTACKS.get(cls.name, cls).__qualname__ != cls.__qualname__:
        raise InvalidValueError(f'an attack needs a unique name, got {cls.name!r}; taken: {", ".join(ATTACKS)}')
    unknown = [need for need in (*cls.needs, *cls.uses) if need not in NEEDS]
    if unknown:
        said = f'must be among {", ".join(NEEDS)}, got {", ".join(unknown)}'
        raise InvalidValueError(f'{cls.name}: needs and uses {said}')
    ATTACKS[cls.name] = cls
    return cls
