"""Independent recognisers: do they find on a reconstruction what they find on the plain image? All work offline."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import judge_classes, judge_faces, judge_text

FACES, PEOPLE, TEXT, CLASSES, PHOTO = 'faces', 'people', 'characters', 'classes', 'photo'
SURE = 0.3  # least probability of a class on the plain image
LEAST = 64  # pixels of the shorter side of what is classified
NEEDS = {
    FACES: (),  # scikit-image, which the attacks need
    PEOPLE: judge_faces.PACKAGES,
    TEXT: judge_text.PACKAGES,
    CLASSES: judge_classes.PACKAGES,
    PHOTO: judge_classes.PACKAGES,
}


def available() -> dict[str, str | None]:
    """Return ``{judge: None, or why it cannot run}``."""
    found: dict[str, str | None] = {}
    for judge_, packages in NEEDS.items():
        absent = [name for name in packages if not _installed(name)]
        found[judge_] = f"{' and '.join(absent)} not installed: pip install 'hii-mm[judges]'" if absent else None
    return found


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False


def find(plain: np.ndarray) -> dict[str, Any]:
    """Return ``{judge: what it finds on the plain image}``; judges that find nothing are left out."""
    found: dict[str, Any] = {FACES: judge_faces.faces(plain)}
    absent = available()
    if absent[PEOPLE] is None:
        found[PEOPLE] = judge_faces.people(plain)
    if absent[TEXT] is None:
        found[TEXT] = judge_text.lines(plain)
    if absent[CLASSES] is None and min(plain.shape[:2]) >= LEAST:
        name, chance = judge_classes.label(plain)
        found[CLASSES] = [name] if chance >= SURE else []
    return {judge_: things for judge_, things in found.items() if things}


def judge(expected: Mapping[str, Any], recovered: np.ndarray) -> dict[str, float]:
    """Return ``{judge: share of what was found on the plain image that is found again}``.

    Args:
        expected: from :func:`find`.
        recovered: (H, W, 3), of the plain size. A face counts if its box
            overlaps the old one by a third (intersection over union), a person
            if the face network recognises what lies where the face was.
    """
    found = {}
    if FACES in expected:
        found[FACES] = judge_faces.found_again(expected[FACES], recovered)
    if PEOPLE in expected:
        found[PEOPLE] = judge_faces.recognised(expected[PEOPLE], recovered)
    if TEXT in expected:
        found[TEXT] = judge_text.returned(expected[TEXT], judge_text.lines(recovered))
    if CLASSES in expected:
        found[CLASSES] = float(judge_classes.label(recovered)[0] in expected[CLASSES])
    return found
