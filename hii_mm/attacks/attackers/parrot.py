"""Recognise what an encrypted image shows, without recovering its pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...encryption import Scheme
from ...errors import InvalidValueError
from .. import learning
from ..base import Attack, Figures, Given, Recovery, register
from ..solver.pieces import tokens

WIDTH = 96
BATCH = 32  # photos a step
LABELS = 3  # number of labels that a result keeps
NAMED = 5  # number of labels that a verdict names


class ParrotTrainer(learning.NetworkTrainer):
    """Train on labelled public photos of the attacked size, each freshly encrypted."""

    attack = 'parrot'
    steps = 500
    labelled = True

    def check(self, photos: Sequence[np.ndarray], labels: Sequence[str]) -> None:
        """Check that each photo has a label and the attacked size.

        Raises:
            InvalidValueError: fewer than two classes, a label that is missing, or a photo of another size.
        """
        names = sorted(set(labels))
        if len(names) < 2 or len(labels) != len(photos):
            raise InvalidValueError(
                f'parrot needs a label for each of {len(photos)} photos, of two or more classes, got {names}'
            )
        (h, w), wrong = self.shape, [photo.shape[:2] for photo in photos if photo.shape[:2] != tuple(self.shape)]
        if wrong:
            raise InvalidValueError(f'parrot needs photos of {h} x {w} (h x w), got {wrong[0][0]} x {wrong[0][1]}')

    def start(self, labels: Sequence[str]) -> tuple[Any, dict[str, Any]]:
        """Return a fresh module, and what it is trained for."""
        names = sorted(set(labels))
        self.target = learning.torch().tensor([names.index(label) for label in labels])
        return network(self.scheme, len(names)), about(self.scheme, names)

    def batch_loss(self, photos: Sequence[np.ndarray], step: int) -> Any:
        """Return the cross-entropy of the labels of some photos."""
        torch = learning.torch()
        pick = self.rng.integers(len(photos), size=BATCH)
        inputs = np.stack([self._tokens(photos[k]) for k in pick])
        return torch.nn.functional.cross_entropy(self.model(torch.from_numpy(inputs)), self.target[pick])

    def _tokens(self, photo: np.ndarray) -> np.ndarray:
        """Encrypt a photo, and return its pieces, float32 (n, h * w * 3)."""
        return tokens(self.scheme.plan(photo.shape, self.rng).apply(photo), self.scheme.core_size)


@register
class Parrot(Attack):
    """Name what an image shows, by a recogniser that was trained on public photos, encrypted at the same scheme.

    This is a trainer's own model, turned against the owner: where PEViT can
    learn from the images, so can this. It returns no picture. Trained by
    ``hii-mm attack-train parrot`` on a folder with one folder a class.

    Args:
        checkpoint: the file that the training wrote.
    """

    name = 'parrot'
    source = 'recognition of obfuscated images, McPherson et al., arXiv 1609.00408'
    cost = 'training minutes on a CPU core, then milliseconds an image'
    trainer = ParrotTrainer

    def __init__(self, checkpoint: str | None = None) -> None:
        self.checkpoint = checkpoint
        self.model: Any = None
        self.labels: Sequence[str] = ()

    def refuses(self, scheme: Scheme) -> str | None:
        """Return the reason why this attack does not apply: no checkpoint."""
        return learning.untrained(self.name, self.checkpoint)

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        torch = learning.torch()
        if self.model is None:
            self.labels = learning.read(self.checkpoint, self.name)['about'].get('labels', [])
            module = network(scheme, len(self.labels))
            self.model = learning.load(self.checkpoint, self.name, about(scheme, self.labels), module)
        with torch.no_grad():
            pieces = torch.from_numpy(tokens(image, scheme.core_size))
            share = self.model(pieces[None])[0].softmax(0).numpy()
        order = np.argsort(-share, kind='stable')[:LABELS]
        labels = [[str(self.labels[k]), float(share[k])] for k in order]
        return Recovery(confidence=float(share[order[0]]), facts={'labels': labels})

    @classmethod
    def summarise(cls, facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Count how often each label was the first: {'labels': {label: count}}, the most frequent first."""
        count = Counter(found['labels'][0][0] for found in facts if found.get('labels'))
        return {'labels': dict(count.most_common())} if count else {}

    @classmethod
    def words(cls, figures: Figures) -> str | None:
        """Return the labels that were read; None without any."""
        labels = figures.facts.get('labels') or {}
        if not labels:
            return None
        read = [f'"{label}" ({count})' for label, count in list(labels.items())[:NAMED]]
        if len(labels) == 1:
            said = f'the label "{next(iter(labels))}"'
        else:
            more = f' and {len(labels) - NAMED} more' if len(labels) > NAMED else ''
            said = f'the labels {", ".join(read)}{more}'
        return f'It read {said} from the encrypted images. It returns no picture.'


def about(scheme: Scheme, labels: Sequence[str]) -> dict[str, Any]:
    """Return what a checkpoint is trained for: the scheme and the labels."""
    return {'setting': scheme.label, 'labels': list(labels)}


def network(scheme: Scheme, classes: int) -> Any:
    """Return the module: (B, n, h * w * 3) -> (B, classes); the order of the pieces plays no part."""
    nn = learning.torch().nn
    h, w = scheme.core_size

    class Bag(nn.Module):  # type: ignore[misc, name-defined]  # torch is imported when used
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
            self.embed = nn.Linear(h * w * 3, WIDTH)
            self.trunk = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(WIDTH, classes)

        def forward(self, x: Any) -> Any:
            return self.head(self.trunk(self.embed(x)).mean(dim=1))

    return Bag()
