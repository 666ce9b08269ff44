"""One result: recover, measure, keep the pictures. The part of a run that may be in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...encryption import Scheme
from ..attackers import attack_class
from ..base import Attack, Given, Recovery
from ..solver.pieces import resized
from .cases import Case, lost
from .measure import Measured, Measures
from .store import Digests, Pictures, Row

Options = Mapping[str, Mapping[str, Any]]


class Work:
    """Attacks single images; attacks that were prepared are kept.

    Args:
        pictures: where to save pictures.
        seed: of the plans that chance is measured with.
        options: ``{attack: keyword arguments}``.
        gallery: ``{name: (H, W[, C])}``, plain photos for photo retrieval.
        digests: to recognise equal arrays.
    """

    def __init__(
        self,
        pictures: Pictures,
        seed: int,
        options: Options,
        gallery: Mapping[str, np.ndarray],
        digests: Digests | None = None,
    ) -> None:
        self._pictures, self._options = pictures, options
        self._measures = Measures(seed, digests or Digests(), gallery)
        self._prepared: dict[tuple[str, Scheme], Attack] = {}

    def make(self, name: str) -> Attack:
        """Return a new attack with its options."""
        return attack_class(name)(**self._options.get(name, {}))

    def row(self, key: str, name: str, case: Case, given: Given) -> Row:
        """Attack an image and return the row of the result; its fields are in docs/reference/report_format.md.

        Args:
            key: of the row.
            name: of the attack.
            case: the image.
            given: what else the attacker has.

        Raises:
            HiiError, ValueError, ImportError, OSError: the attack cannot do it.
        """
        attack = self._prepared.get((name, case.scheme))
        if attack is None:
            attack = self.make(name)
            attack.prepare(case.scheme, given)
            self._prepared[name, case.scheme] = attack
        found = attack.recover(case.encrypted, case.scheme, given)
        measured = self._measures.measure(case, found, given)
        return {
            'key': key,
            'setting': case.scheme.label,
            'parameters': parameters(case.scheme),
            'attack': name,
            'image': case.name,
            'repeat': case.repeat,
            'seconds': float(found.seconds),
            'confidence': float(found.confidence),
            'metrics': dict(measured.metrics),
            'floors': {floor: dict(values) for floor, values in measured.floors.items()},
            'ceilings': dict(measured.ceilings),
            'search': None if measured.search is None else dict(measured.search),
            'facts': dict(found.facts),
            'pictures': self._save(case, found, measured),
            **lost(case),
        }

    def _save(self, case: Case, found: Recovery, measured: Measured) -> dict[str, str]:
        """Save the pictures of a result; what is recovered may be the encrypted picture itself."""
        save = self._pictures.save
        names = {} if case.plain is None else {'plain': save('plain', case.plain)}
        names['encrypted'] = save('encrypted', case.encrypted)
        if found.image is not None and measured.image is not None:
            same = np.array_equal(found.image, resized(case.encrypted, found.image.shape[:2]))
            names['recovered'] = names['encrypted'] if same else save('recovered', measured.image)
        if found.raw is not None:
            names['raw'] = save('raw', found.raw)
        if measured.true_image is not None:
            names['true places'] = save('true', measured.true_image)
        return names


def parameters(scheme: Scheme) -> dict[str, Any]:
    """Return the parameters of a scheme that people compare, as JSON holds them."""
    shuffle, mixup = scheme.shuffle, scheme.mixup
    size = scheme.patch_size
    found: dict[str, Any] = {'patch': size[0] if size[0] == size[1] else f'{size[0]} x {size[1]}'}
    found['mixed'] = mixup.grid if mixup else 0
    if shuffle:
        found |= {'gap': shuffle.gap, 'drop': shuffle.drop_ratio, 'orient': bool(shuffle.orient)}
        found |= {'window': shuffle.window or 0, 'tone': bool(shuffle.tone), 'noise': shuffle.noise}
    return found


def gallery_of(
    pictures: Sequence[Mapping[str, np.ndarray]], public: Sequence[np.ndarray], most: int = 200
) -> dict[str, np.ndarray]:
    """Return the plain photos to choose from: those of the run, then public ones, in order, at most ``most``."""
    found: dict[str, np.ndarray] = {}
    for part in pictures:
        for name, picture in part.items():
            found.setdefault(name, picture)
    for number, photo in enumerate(public):
        found.setdefault(f'public photo {number}', photo)
    return dict(list(found.items())[:most])
