"""What the pieces tell without any order: the floor that no arrangement of pieces protects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ...encryption import PatchGrid, Scheme
from ...errors import AttackRefusedError, CheckpointError, InvalidValueError
from ...files import StrPath
from ...progress import Progress, silent
from ..base import Attack, Figures, Given, Recovery, register
from ..solver import bagging, logistic
from ..solver.histograms import colour_shares, flat_share
from ..solver.single import faces_in, text_in

LABELS = 3  # number of labels that a result keeps
NAMED = 3  # number of labels and colours that a verdict names
RARE = 0.02  # added to the deviations of features, which count rare things too much otherwise
MOST = 1024  # pieces that are looked at one by one


class BagTrainer:
    """Logistic regression on histograms of labelled public photos, see :class:`.base.Trainer`.

    Args:
        scheme: that is attacked.
        shape: (h, w) of the images that are attacked, in pixels.
        seed: of the encryption of the photos.

    Raises:
        AttackRefusedError: an image that holds no patch.
    """

    steps: ClassVar[int] = 200
    labelled: ClassVar[bool] = True

    def __init__(self, scheme: Scheme, shape: tuple[int, int], seed: int = 0) -> None:
        (h, w), (ph, pw) = shape, scheme.patch_size
        if h < ph or w < pw:
            raise AttackRefusedError(f'bag: images of {h} x {w} (h x w) do not hold a patch of {ph} x {pw}')
        PatchGrid(shape, scheme.patch_size, scheme.remainder)
        self.scheme, self.shape, self.seed = scheme, shape, seed
        self.model: bagging.Model | None = None

    def train(
        self,
        photos: Sequence[np.ndarray],
        labels: Sequence[str] | None = None,
        steps: int | None = None,
        progress: Progress = silent,
    ) -> list[float]:
        """Fit the classifier, and return the losses.

        Each photo is seen twice, once mirrored. The penalty is chosen on fifths that are held back.

        Args:
            photos: (H, W, 3) uint8 each.
            labels: one for each photo.
            steps: of L-BFGS at most.
            progress: called after each step.

        Raises:
            InvalidValueError: fewer than two classes, or a label that is missing.
        """
        names = sorted(set(labels or ()))
        if len(names) < 2 or len(labels or ()) != len(photos):
            raise InvalidValueError(
                f'bag needs a label for each of {len(photos)} photos, of two or more classes, got {names}'
            )
        rng = np.random.default_rng(self.seed)
        seen = [view for photo in photos for view in (photo, np.ascontiguousarray(photo[:, ::-1]))]
        x = np.stack([bagging.features(self.scheme.plan(view.shape, rng).apply(view), self.scheme) for view in seen])
        target = np.array([names.index(label) for label in labels or ()]).repeat(2)
        mean, scale = x.mean(axis=0), x.std(axis=0) + RARE
        x = (x - mean) / scale
        losses: list[float] = []
        count = self.steps if steps is None else steps

        def note(loss: float) -> None:
            losses.append(loss)
            progress(len(losses), count, f'loss {loss:.4f}')

        group = rng.permutation(len(photos)).repeat(2)
        strength = logistic.best_strength(x, target, len(names), group)
        weights = logistic.fit(x, target, len(names), strength, count, note)
        self.model = bagging.Model(self.scheme.label, names, mean, scale, weights)
        return losses

    def save(self, path: StrPath) -> None:
        """Write the checkpoint: an npz of plain arrays.

        Raises:
            CheckpointError: nothing was trained yet.
        """
        if self.model is None:
            raise CheckpointError(f'bag was not trained yet, so there is nothing to write to {path}')
        bagging.write(path, self.model)


@register
class Bag(Attack):
    """Tell what the pieces show in no order at all: colours, contrast, faces and text within one piece, and a label.

    No permutation hides any of it. Without a checkpoint there is no label;
    ``hii-mm attack-train bag`` makes one from photos, one folder a class. It
    returns no picture.

    Args:
        checkpoint: the file that the training wrote, or None.
    """

    name = 'bag'
    source = 'bags of features (Csurka et al., 2004): histograms and logistic regression'
    cost = 'a second an image of 196 pieces on one core; seconds of training'
    trainer = BagTrainer

    def __init__(self, checkpoint: str | None = None) -> None:
        self.checkpoint = checkpoint
        self._model: tuple[str, bagging.Model] | None = None

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        pieces = bagging.pieces_of(image, scheme)
        shares = colour_shares(pieces)
        facts: dict[str, Any] = {
            'colours': [[name, share] for name, share in shares.items()],
            'flat': flat_share(pieces),
            'faces': faces_in(pieces[:MOST]),
        }
        read_on = text_in(pieces[:MOST])
        if read_on is not None:
            facts['text'] = read_on
        if self.checkpoint is None:
            return Recovery(facts=facts)
        share = self._classifier(self.checkpoint, scheme).chances(bagging.features(image, scheme)[None])[0]
        order = np.argsort(-share, kind='stable')[:LABELS]
        assert self._model is not None
        facts['labels'] = [[self._model[1].labels[k], float(share[k])] for k in order]
        return Recovery(confidence=float(share[order[0]]), facts=facts)

    def _classifier(self, checkpoint: str, scheme: Scheme) -> bagging.Model:
        """Return the classifier; the file is read once for a scheme."""
        if self._model is None or self._model[0] != scheme.label:
            self._model = scheme.label, bagging.read(checkpoint, scheme)
        return self._model[1]

    @classmethod
    def summarise(cls, facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Merge: first labels by count, mean shares of colours, mean flat share, sums of faces and of texts."""
        facts = [run for run in facts if run]
        if not facts:
            return {}
        colours: Counter[str] = Counter()
        for run in facts:
            colours.update({name: share / len(facts) for name, share in run['colours']})
        labels = Counter(run['labels'][0][0] for run in facts if run.get('labels'))
        found = {
            'colours': dict(colours.most_common()),
            'flat': float(np.mean([run['flat'] for run in facts])),
            'faces': sum(run['faces'] for run in facts),
            'labels': dict(labels.most_common()),
        }
        texts = [run['text'] for run in facts if 'text' in run]
        return found | ({'texts': sum(map(len, texts))} if texts else {})

    @classmethod
    def words(cls, figures: Figures) -> str | None:
        """Return labels, colours, flat share, faces and texts; None if there are no facts."""
        facts = figures.facts
        if not facts:
            return None
        read_on = [f'"{label}" ({count})' for label, count in list(facts['labels'].items())[:NAMED]]
        said = f'It read the labels {", ".join(read_on)} from the pieces in no order. ' if read_on else ''
        colours = ', '.join(f'{name} {share:.0%}' for name, share in list(facts['colours'].items())[:NAMED])
        said += f'In no order the pieces show the colours ({colours}); {facts["flat"]:.0%} of them show nothing else. '
        inside = [f'faces: {facts["faces"]}'] + ([f'texts: {facts["texts"]}'] if 'texts' in facts else [])
        return f'{said}Found within single pieces: {", ".join(inside)}. It returns no picture.'
