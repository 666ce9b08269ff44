"""What independent recognisers say of pictures of faces and of documents, picture by picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hii_mm import Scheme
from hii_mm.attacks.evaluation import judge_faces, judge_text
from hii_mm.attacks.solver.bagging import pieces_of
from hii_mm.attacks.solver.single import text_in

Figures = dict[str, float]
HALF = 0.5  # of the characters of a page: from there on it counts as read


class Faces:
    """Judge pictures of one face each by dlib's face network.

    Args:
        pictures: ``{person/...: (h, w, 3) uint8}``, plain; those without a face that dlib finds are left out.
    """

    def __init__(self, pictures: Mapping[str, np.ndarray]) -> None:
        found = {name: judge_faces.people(picture) for name, picture in pictures.items()}
        self._known = {name: faces[0] for name, faces in found.items() if faces}
        self.pictures = {name: pictures[name] for name in self._known}
        self._codes = np.stack([face.code for face in self._known.values()])  # (n, 128)
        self._persons = [_person(name) for name in self._known]

    def figures(self, name: str, image: np.ndarray) -> Figures:
        """Return ``recognised`` and ``named``, 0 or 1 each, for a picture of the plain size.

        Recognised: within dlib's threshold of the plain face. Named: of all plain faces, the nearest is of this
        person. The face is cut out at the landmarks of the plain one.
        """
        return self._judge(name, judge_faces.codes([self._known[name]], image)[0])

    def control(self, name: str) -> Figures:
        """Return the figures of the plain face of the next person."""
        names = list(self._known)
        later = names[names.index(name) :] + names
        return self._judge(name, self._known[next(n for n in later if _person(n) != _person(name))].code)

    def within(self, name: str, encrypted: np.ndarray, scheme: Scheme) -> Figures:
        """Return nothing: no face fits into a patch."""
        return {}

    def _judge(self, name: str, code: np.ndarray) -> Figures:
        distances = np.linalg.norm(self._codes - code, axis=1)
        own = distances[list(self._known).index(name)]
        return {
            'recognised': float(own < judge_faces.SAME),
            'named': float(self._persons[int(distances.argmin())] == _person(name)),
        }


class Texts:
    """Judge pages by what RapidOCR reads.

    Args:
        pictures: ``{name: (h, w, 3) uint8}``, plain; those on which nothing is read are left out.
        texts: ``{name: lines}``, where they are known; of others the lines that are read on the plain page count.
    """

    def __init__(self, pictures: Mapping[str, np.ndarray], texts: Mapping[str, list[str]]) -> None:
        lines = {
            name: [_bare(line) for line in texts[name]] if name in texts else judge_text.lines(picture)
            for name, picture in pictures.items()
        }
        self._lines = {name: found for name, found in lines.items() if found}
        self.pictures = {name: pictures[name] for name in self._lines}

    def figures(self, name: str, image: np.ndarray) -> Figures:
        """Return the share of the ``characters`` that are read, and whether half of them are, ``page``."""
        return self._judge(name, judge_text.lines(image))

    def control(self, name: str) -> Figures:
        """Return the figures of the lines of the next page."""
        names = list(self._lines)
        return self._judge(name, self._lines[names[(names.index(name) + 1) % len(names)]])

    def within(self, name: str, encrypted: np.ndarray, scheme: Scheme) -> Figures:
        """Return ``pieces``, the share of the characters that are read within single pieces.

        Counted are strings of two characters or more that stand in a line of the page.
        """
        if scheme.shuffle is None:
            return {}
        found = text_in(pieces_of(encrypted, scheme)) or []
        lines = self._lines[name]
        hits = [text for text in found if any(text in line for line in lines)]
        return {'pieces': min(1.0, sum(map(len, hits)) / sum(map(len, lines)))}

    def _judge(self, name: str, read: list[str]) -> Figures:
        share = judge_text.returned(self._lines[name], read)
        return {'characters': share, 'page': float(share >= HALF)}


def _person(name: str) -> str:
    return name.split('/')[0]


def _bare(line: str) -> str:
    return ''.join(filter(str.isalnum, line.lower()))
