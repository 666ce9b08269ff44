"""Pictures of faces and of documents, (h, w, 3) uint8 each."""

from __future__ import annotations

import importlib.util
import io
import re
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hii_mm.attacks.evaluation import judge_faces
from hii_mm.attacks.evaluation.photos import square

ROOT = Path(__file__).parents[2]
SIDE = 224  # pixels of the pictures
FACES = ROOT / 'data' / 'face_recognition-1.3.0.tar.gz'
WIDTHS = {'half': 2.0, 'quarter': 4.0}  # of the picture's side that a face takes: side / width of dlib's box
LETTERS = (12, 24, 48)  # pixels, size of the font
PAGES = 4  # of each size of letters
LFW = 12  # faces
MARGIN = 6  # pixels
Pictures = dict[str, np.ndarray]


def portraits() -> Pictures:
    """Return photographs of persons, named ``person/photograph/width``, cut so that the face takes a part of the side.

    Sources: scikit-image's astronaut, Matplotlib's portrait of Grace Hopper,
    and the test pictures of the package ``face-recognition``.
    """
    found = {}
    for name, photo in _persons().items():
        boxes = judge_faces.boxes(photo)
        if not boxes:
            continue
        x, y, w, h = max(boxes, key=lambda box: box[2])
        for part, times in WIDTHS.items():
            side = round(times * w)
            if side > min(photo.shape[:2]):
                continue
            top = int(np.clip(y + h // 2 - side // 2, 0, photo.shape[0] - side))
            left = int(np.clip(x + w // 2 - side // 2, 0, photo.shape[1] - side))
            found[f'{name}/{part}'] = square(Image.fromarray(photo[top : top + side, left : left + side]), SIDE)
    return found


def _persons() -> Pictures:
    """Return whole photographs, named ``person/photograph``."""
    found = {
        'collins/astronaut': _shipped('skimage', 'data/astronaut.png'),
        'hopper/grace_hopper': _shipped('matplotlib', 'mpl-data/sample_data/grace_hopper.jpg'),
    }
    with tarfile.open(FACES) as archive:
        for member in archive.getmembers():
            match = re.search(r'/tests/test_images/((obama|biden)\d*)\.jpg$', member.name)
            content = archive.extractfile(member) if match else None
            if match and content:
                found[f'{match[2]}/{match[1]}'] = np.asarray(Image.open(io.BytesIO(content.read())).convert('RGB'))
    return found


def _shipped(package: str, path: str) -> np.ndarray:
    """Return a picture that a package ships."""
    found = importlib.util.find_spec(package)
    return np.asarray(Image.open(Path(str(found and found.origin)).parent / path).convert('RGB'))


def small_faces() -> Pictures:
    """Return faces of Labeled Faces in the Wild, grey, 25 x 25 pixels, enlarged; each counts as a person."""
    from skimage.data import lfw_subset

    faces = lfw_subset()[:100]  # the others are no faces
    chosen = faces[:: len(faces) // LFW][:LFW]
    return {f'{k}/lfw': square(Image.fromarray(np.uint8(face * 255)), SIDE) for k, face in enumerate(chosen)}


def pages(size: int) -> tuple[Pictures, dict[str, list[str]]]:
    """Return pages rendered with letters of a size, black on white, and the lines that stand on each.

    The words are those of the LICENSE, in random order; the first line begins at
    a random place, so that letters do not lie on the grid of patches.
    """
    words = re.findall(r'[a-z]{3,}', (ROOT / 'LICENSE').read_text(encoding='utf-8').lower())
    font = ImageFont.load_default(size)
    pictures, texts = {}, {}
    for number in range(PAGES):
        rng = np.random.default_rng([size, number])
        sheet = Image.new('RGB', (SIDE, SIDE), 'white')
        draw, top = ImageDraw.Draw(sheet), MARGIN + int(rng.integers(16)) // 2
        lines: list[str] = []
        while top + 1.2 * size <= SIDE:
            line = ''
            for word in rng.choice(words, 60):
                if draw.textlength(f'{line} {word}', font) <= SIDE - 2 * MARGIN - 8:
                    line = f'{line} {word}'.strip()
            draw.text((MARGIN + int(rng.integers(8)), top), line, 'black', font)
            lines.append(line)
            top += round(1.3 * size)
        pictures[f'{number}/{size}'], texts[f'{number}/{size}'] = np.asarray(sheet), lines
    return pictures, texts


def scans() -> Pictures:
    """Return scikit-image's page and text, cut to whole patches: printed (upright) and photographed from aside."""
    from skimage import data

    page, text = (np.repeat(image[..., None], 3, axis=2) for image in (data.page(), data.text()))
    return {'0/page': page[:176], '1/text': text[:160]}
