"""Faces: whether one is found again, and whether it is the same person.

Found again: scikit-image's cascade of local binary patterns. The same person:
dlib's face network (King, 2017; He et al., CVPR 2016) with the weights of the
package ``face-recognition-models``, 128 numbers a face; two pictures show one
person if their distance is below .6, which dlib's author states to be right
for 99.38 % of the pairs of Labeled Faces in the Wild. ``face_recognition``
itself is not used.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..solver.pieces import as_uint8

PACKAGES = ('dlib', 'face_recognition_models')
OVERLAP = 1 / 3  # intersection over union of a face that is found again
SAME = 0.6  # largest distance of two pictures of one person
ENLARGED = 1  # times that a picture is doubled before faces of 80 pixels and more are looked for

Box = tuple[int, int, int, int]  # x, y, w, h in pixels


class Face(NamedTuple):
    """A face on the plain picture.

    Attributes:
        points: dlib's five landmarks on it, by which it is cut out of any other picture.
        code: float64 (128,), from the face network.
    """

    points: Any
    code: np.ndarray


def faces(image: np.ndarray) -> list[Box]:
    """Return boxes (x, y, w, h) of frontal faces, by scikit-image's local-binary-pattern cascade."""
    image = as_uint8(image)
    least = min(image.shape[:2])
    if least < 32:
        return []
    found = _cascade().detect_multi_scale(
        image, scale_factor=1.2, step_ratio=1, min_size=(24, 24), max_size=(least, least), min_neighbor_number=3
    )
    return [(box['c'], box['r'], box['width'], box['height']) for box in found]


def found_again(old: list[Box], image: np.ndarray) -> float:
    """Return the share of the boxes that overlap, by a third at least, a box of a face on an image."""
    new = faces(image)
    return float(np.mean([any(_overlap(one, two) >= OVERLAP for two in new) for one in old]))


def people(image: np.ndarray) -> list[Face]:
    """Return the frontal faces of 40 pixels and more that dlib's detector finds, (H, W[, C])."""
    image = as_uint8(image)
    detector, landmarks, network = _network()
    points = [landmarks(image, box) for box in detector(image, ENLARGED)]
    return [Face(each, np.array(network.compute_face_descriptor(image, each))) for each in points]


def boxes(image: np.ndarray) -> list[Box]:
    """Return boxes (x, y, w, h) of the frontal faces of 80 pixels and more that dlib's detector finds, (H, W[, C])."""
    found = _network()[0](as_uint8(image), 0)
    return [(box.left(), box.top(), box.width(), box.height()) for box in found]


def recognised(known: list[Face], image: np.ndarray) -> float:
    """Return the share of the faces whose person the network recognises on an image of the same size.

    The face is cut out where it is on the plain picture: an attacker may align
    it by hand, and no detector has to find it.
    """
    found = codes(known, image)
    return float(np.mean([_distance(face.code, code) < SAME for face, code in zip(known, found)]))


def codes(known: list[Face], image: np.ndarray) -> list[np.ndarray]:
    """Return the code, float64 (128,), of what lies where each face was, on an image of the same size, (H, W[, C])."""
    network, image = _network()[2], as_uint8(image)
    return [np.array(network.compute_face_descriptor(image, face.points)) for face in known]


def mistaken(known: list[Face], others: list[Face]) -> float:
    """Return the share of other people's faces that pass for one of the known; NaN without others."""
    if not others:
        return float('nan')
    return float(np.mean([[_distance(face.code, other.code) < SAME for other in others] for face in known]))


def _distance(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.linalg.norm(one - two))


@functools.lru_cache(maxsize=1)
def _network() -> tuple[Any, Any, Any]:
    """Return dlib's detector of frontal faces, its landmarks and its face network."""
    import dlib

    found = importlib.util.find_spec('face_recognition_models')  # importing it needs pkg_resources
    folder = Path(str(found and found.origin)).parent / 'models'
    return (
        dlib.get_frontal_face_detector(),
        dlib.shape_predictor(str(folder / 'shape_predictor_5_face_landmarks.dat')),
        dlib.face_recognition_model_v1(str(folder / 'dlib_face_recognition_resnet_model_v1.dat')),
    )


@functools.lru_cache(maxsize=1)
def _cascade() -> Any:
    from skimage import data, feature

    return feature.Cascade(data.lbp_frontal_face_cascade_filename())


def _overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(0, w) * max(0, h)
    return common / (a[2] * a[3] + b[2] * b[3] - common)
