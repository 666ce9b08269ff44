"""The answer of a model for one picture, the same for every kind of model. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encryption import Plan

PLAIN, ENCRYPTED = 'plain', 'encrypted'  # frames


@dataclass(frozen=True)
class Prediction:
    """The answer for one picture.

    Attributes:
        name: of the picture.
        labels: int64 (k,), indices into ``classes``; of a classifier all of them, the likeliest first.
        scores: float32 (k,), in [0, 1].
        boxes: float32 (k, 4) xyxy in pixels of ``frame``; None for a classifier.
        frame: 'plain' or 'encrypted': whose pixels ``boxes`` and ``size`` count.
        size: (h, w) of the picture in that frame.
        classes: names of the classes; empty if the model does not know them.
    """

    name: str
    labels: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray | None
    frame: str
    size: tuple[int, int]
    classes: Sequence[str] = ()

    def class_name(self, label: int) -> str:
        """Return the name of a label, or its number."""
        return str(self.classes[label]) if 0 <= label < len(self.classes) else str(label)

    def to_json(self, threshold: float = 0.0, most: int = 100) -> dict[str, Any]:
        """Return it as JSON holds it.

        Args:
            threshold: leave out lower scores; the likeliest class of a classifier stays.
            most: at most that many answers.
        """
        kept = [k for k in range(len(self.labels)) if self.scores[k] >= threshold][:most]
        kept = kept or ([0] if self.boxes is None and len(self.labels) else [])
        answers = []
        for k in kept:
            label = int(self.labels[k])
            answer = {'label': label, 'class': self.class_name(label), 'score': round(float(self.scores[k]), 5)}
            if self.boxes is not None:
                answer['box'] = [round(float(value), 2) for value in self.boxes[k]]
            answers.append(answer)
        height, width = self.size
        return {'name': self.name, 'frame': self.frame, 'height': height, 'width': width, 'predictions': answers}


def in_plain_frame(
    plan: Plan, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring boxes of an encrypted picture to the frame of the plain one.

    Of a shuffled picture each box is a fragment, and may come back as several.

    Args:
        plan: of the picture.
        boxes: (k, 4) xyxy in the encrypted picture.
        labels: (k,).
        scores: (k,).

    Returns:
        float32 (n, 4), and the labels and scores that belong to them.
    """
    found, source = plan.locate_boxes(boxes)
    return found.astype(np.float32), labels[source], scores[source]
