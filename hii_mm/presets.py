"""What the measured attacks recover of a scheme, and what it costs; the presets with both.

Names and parameters are in :mod:`hii_mm.named`. The figures are those of
docs/data/*.json and zoo/frontier/epochs-18, which an installed package does not
hold; tests/project/test_presets.py compares them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .encryption import Scheme
from .named import NAMED

PAGE = 'docs/measured_attacks.md'
MOST_NEIGHBOURS = 0.5  # a scheme of which an attack gets a larger share is warned about
# these know more than the copy: a second view of each picture, one permutation for all, or the photo itself
ASSUMING = ('multi-view', 'known-plaintext', 'linkage')


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    Attributes:
        value: a share in [0, 1].
        attack: the attack that reached it.
        metric: 'surviving', the share of the neighbouring patches of the copy that were put back together, or
            'classes', the share of the pictures in which a classifier names the same class as in the plain one.
        source: the file in docs/data.
    """

    value: float
    attack: str
    metric: str
    source: str

    def __str__(self) -> str:
        """Return what the attack did, such as 'jigsaw puts 34 % of neighbouring patches back together'."""
        did = {
            'surviving': 'puts {} of neighbouring patches back together',
            'classes': 'restores enough for a classifier to name the same class in {} of pictures',
        }[self.metric]
        return f'{self.attack} {did.format(_percent(self.value))}'


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on encrypted images, beside that of a model of the same size on plain ones.

    Attributes:
        encrypted: accuracy in percent, the mean over the seeds.
        plain: accuracy in percent on plain images.
        task: data set, size of its images, and epochs.
        source: the file, or the folder of files, in the repository.
    """

    encrypted: float
    plain: float
    task: str
    source: str

    def __str__(self) -> str:
        """Return such as '52.5 % instead of 76.6 % on FashionScene'."""
        return f'{self.encrypted:.1f} % instead of {self.plain:.1f} % on {self.task}'


@dataclass(frozen=True)
class Preset:
    """A named scheme.

    Attributes:
        scheme: its parameters, those of :mod:`hii_mm.named`.
        meaning: one line for people.
        attack: the best measured attack; None where none was measured.
        accuracy: what it costs; None where that was not measured.
    """

    scheme: Scheme
    meaning: str
    attack: Figure | None
    accuracy: Accuracy | None


_BEST_OF_MIXING = Figure(0.424658, 'mixup-inverse', 'classes', 'audit.json')

# the highest share of neighbours that an attack put back, except those of ASSUMING; dropped patches do not count
MEASURED: Mapping[Scheme, Figure] = MappingProxyType(
    {
        Scheme(16): Figure(0.99448, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, gap=1): Figure(0.858221, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, gap=2): Figure(0.62015, 'context', 'surviving', 'audit.json'),
        Scheme(16, gap=2, noise=16): Figure(0.150072, 'context', 'surviving', 'audit.json'),
        Scheme(16, gap=2, noise=32): Figure(0.106501, 'context', 'surviving', 'audit.json'),
        Scheme(8, gap=2): Figure(0.140193, 'context', 'surviving', 'audit.json'),
        Scheme(8, gap=2, noise=16): Figure(0.042075, 'context', 'surviving', 'audit.json'),
        Scheme(16, gap=3): Figure(0.203493, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, gap=4): Figure(0.238536, 'context', 'surviving', 'audit.json'),
        Scheme(32, gap=2): Figure(0.932234, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, drop_ratio=0.25): Figure(0.874213, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, drop_ratio=0.5): Figure(0.883661, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, drop_ratio=0.75): Figure(0.850731, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, window=2): Figure(0.973312, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, window=4): Figure(0.977041, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, window=8): Figure(0.963893, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, orient=True): Figure(0.841052, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, tone=True): Figure(0.982143, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, gap=1, tone=True): Figure(0.240385, 'jigsaw', 'surviving', 'audit.json'),
        Scheme(16, gap=2, tone=True): Figure(0.091346, 'context', 'surviving', 'audit.json'),
        Scheme(16, strategy='both', grid=2): Figure(0.570915, 'context', 'surviving', 'audit.json'),
        Scheme(16, strategy='both', grid=2, gap=1): Figure(0.215698, 'context', 'surviving', 'audit.json'),
        Scheme(32, strategy='both', grid=4): Figure(0.3498, 'jigsaw', 'surviving', 'audit.json'),
    }
)


def _accuracy_table() -> dict[str, Accuracy]:
    """Return the accuracies of the frontier by the label of the scheme, from accuracy.json."""
    found = json.loads((Path(__file__).parent / 'accuracy.json').read_text(encoding='utf-8'))
    return {
        label: Accuracy(encrypted, found['plain'], found['task'], found['source'])
        for label, encrypted in found['encrypted'].items()
    }


ACCURACY: Mapping[str, Accuracy] = MappingProxyType(_accuracy_table())

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        name: Preset(
            scheme,
            meaning,
            MEASURED.get(scheme) if scheme.shuffle else _BEST_OF_MIXING,
            ACCURACY.get(scheme.label),
        )
        for name, (meaning, _) in NAMED.items()
        for scheme in [Scheme.preset(name)]
    }
)


def name_of(scheme: Scheme) -> str | None:
    """Return the name of a preset whose parameters a scheme has, the newest, or None; ``remainder`` does not matter."""
    names = [name for name, entry in PRESETS.items() if entry.scheme == scheme.with_remainder('error')]
    return names[-1] if names else None


def warning(scheme: Scheme) -> str | None:
    """Return one line about a scheme of which a measured attack recovers much, or None.

    A scheme that was not measured is judged by the nearest one that was. Of
    two schemes one hides at most as much as the other if it does not mix where
    the other does, its patches are at least as large, and none of its options
    removes more. Taken is the nearest scheme that hides at most as much; a
    figure of it above ``MOST_NEIGHBOURS`` warns. Without one, the nearest that
    hides at least as much is taken, and a low figure of it proves nothing.

    Args:
        scheme: whose ``remainder`` does not matter.
    """
    if scheme.shuffle is None:
        return f'{scheme.label}: mixing alone is close to pixelation: {_BEST_OF_MIXING}; see {PAGE}'
    weaker = [known for known in MEASURED if _hides_at_most(known, scheme)]
    if weaker:
        nearest = [one for one in weaker if not any(_hides_at_most(one, other) for other in weaker if other != one)]
        known = min(nearest, key=lambda one: MEASURED[one].value)
        return _line(scheme, known) if MEASURED[known].value > MOST_NEIGHBOURS else None
    stronger = [known for known in MEASURED if _hides_at_most(scheme, known)]
    worst = max(stronger, key=lambda one: MEASURED[one].value, default=None)
    if worst is not None and MEASURED[worst].value > MOST_NEIGHBOURS:
        return _line(scheme, worst)
    return f'{scheme.label}: no attack on this scheme was measured; try hii-mm attack on your own pictures; see {PAGE}'


def _line(scheme: Scheme, known: Scheme) -> str:
    """Return the warning about a scheme, with the figure of a measured one."""
    where = '' if known.label == scheme.label else f' (measured at {known.label})'
    return f'{scheme.label}: {MEASURED[known]}{where}; see {PAGE}'


def table() -> str:
    """Return the presets as lines of text: name, parameters, meaning, best measured attack and cost."""
    lines = []
    for name, entry in PRESETS.items():
        lines += [
            f'{name}: {entry.scheme.label}: {entry.meaning}',
            f'    best attack: {_sourced(entry.attack, "docs/data/")}',
            f'    accuracy: {_sourced(entry.accuracy)}',
        ]
    return '\n'.join(lines)


def _sourced(figure: Figure | Accuracy | None, folder: str = '') -> str:
    return 'not measured' if figure is None else f'{figure} ({folder}{figure.source})'


def _hides_at_most(one: Scheme, other: Scheme) -> bool:
    """Return whether a scheme that shuffles hides at most as much as another, option by option."""
    a, b = one.shuffle, other.shuffle
    if a is None or b is None or (one.mixup is not None and other.mixup is None):
        return False
    if one.mixup is not None and other.mixup is not None and one.mixup.grid > other.mixup.grid:
        return False
    return (
        all(size >= least for size, least in zip(one.patch_size, other.patch_size))
        and a.gap * _mixed(one) <= b.gap * _mixed(other)
        and a.drop_ratio <= b.drop_ratio
        and a.orient <= b.orient
        and a.tone <= b.tone
        and a.noise <= b.noise
        and (b.window is None or (a.window is not None and a.window <= b.window))
    )


def _mixed(scheme: Scheme) -> int:
    """Return how many pixels of the plain image, along a side, a pixel that the shuffle sees stands for."""
    return scheme.mixup.grid if scheme.mixup else 1


def _percent(share: float) -> str:
    return f'{100 * share:.1f} %' if 0.995 <= share < 1 else f'{100 * share:.0f} %'
