"""Recognisers find on the plain image what they do not find on the encrypted one."""

import numpy as np
import pytest
from PIL import Image

from hii_mm import Scheme
from hii_mm.attacks.evaluation.judges import available, faces, find, judge, words


def shuffled(image):
    return Scheme(16).plan(image.shape, np.random.default_rng(0)).apply(image)


def test_the_face_judge_finds_the_astronaut_and_not_a_shuffle(photo):
    small = np.asarray(Image.fromarray(photo).resize((224, 224)))
    assert len(faces(small)) == 1
    assert faces(shuffled(small)) == []


def test_a_face_that_moved_is_not_found_again(photo):
    small = np.asarray(Image.fromarray(photo).resize((224, 224)))
    expected = {'faces': find(small)['faces']}
    assert judge(expected, small) == {'faces': 1}
    assert judge(expected, np.roll(small, 112, axis=1)) == {'faces': 0}


@pytest.mark.skipif(available()['words'] is not None, reason='tesseract is not installed')
def test_the_text_judge_reads_a_page_and_not_a_shuffle():
    from skimage import data

    page = np.ascontiguousarray(data.page()[:176, :384])
    found = words(page)
    assert len(found) > 5
    assert len(set(words(shuffled(page))) & set(found)) < len(found) / 4


def test_a_judge_that_is_not_installed_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    assert available()['words'] == 'tesseract is not installed (Debian: tesseract-ocr)'
    assert available()['faces'] is None
