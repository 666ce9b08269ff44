"""Recognisers find on the plain image what they do not find on the encrypted one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hii_mm import Scheme
from hii_mm.attacks.evaluation import judges
from hii_mm.attacks.evaluation.beside import Yardsticks
from hii_mm.attacks.evaluation.cases import Case
from hii_mm.attacks.evaluation.judge_faces import faces, mistaken, people, recognised
from hii_mm.attacks.evaluation.judge_text import lines, returned
from hii_mm.attacks.evaluation.judges import available, find, judge


def needs(name):
    return pytest.mark.skipif(available()[name] is not None, reason=str(available()[name]))


def shuffled(image):
    return Scheme(16).plan(image.shape, np.random.default_rng(0)).apply(image)


@pytest.fixture
def small(photo):
    return np.asarray(Image.fromarray(photo).resize((224, 224)))


def test_the_face_judge_finds_the_astronaut_and_not_a_shuffle(small):
    assert len(faces(small)) == 1
    assert faces(shuffled(small)) == []


def test_a_face_that_moved_is_not_found_again(small):
    expected = {'faces': find(small)['faces']}
    assert judge(expected, small) == {'faces': 1}
    assert judge(expected, np.roll(small, 112, axis=1)) == {'faces': 0}


@needs('people')
def test_a_person_is_recognised_after_a_blur_and_not_on_a_shuffle_noise_or_another_face(small):
    known = people(small)
    assert len(known) == 1
    assert recognised(known, small) == 1
    blurred = np.asarray(Image.fromarray(small).resize((112, 112)).resize((224, 224)))
    assert recognised(known, blurred) == 1
    noise = np.random.default_rng(0).integers(0, 256, small.shape).astype(np.uint8)
    assert [recognised(known, picture) for picture in (shuffled(small), noise, small[::-1])] == [0, 0, 0]
    assert mistaken(known, known) == 1
    stranger = known[0]._replace(code=-known[0].code)
    assert mistaken(known, [stranger, *known]) == 0.5
    assert np.isnan(mistaken(known, []))


@needs('characters')
def test_the_reader_reads_a_page_and_not_a_shuffle(small):
    from skimage import data

    page = np.ascontiguousarray(data.page()[:112, :384])
    expected = find(page)
    assert 'determinemarkersofthecoins' in ''.join(expected['characters'])
    assert judge({'characters': expected['characters']}, page) == {'characters': 1}
    again = judge({'characters': expected['characters']}, shuffled(page))
    assert again['characters'] < 0.2
    assert lines(np.full((64, 64), 255, np.uint8)) == []


def slow_distance(one, two):
    if not one or not two:
        return len(one) + len(two)
    change = slow_distance(one[1:], two[1:]) + (one[0] != two[0])
    return min(change, slow_distance(one[1:], two) + 1, slow_distance(one, two[1:]) + 1)


@settings(max_examples=100, deadline=None)
@given(st.text('ab1', min_size=1, max_size=5), st.text('ab1', max_size=5))
def test_characters_that_came_back_agree_with_a_slow_edit_distance(plain, found):
    assert returned([plain], [found]) == pytest.approx(max(0, len(plain) - slow_distance(plain, found)) / len(plain))


def test_each_line_counts_by_its_length():
    assert returned(['abcd', 'wxyz12'], ['wxyz1', 'abcd']) == (4 + 5) / 10
    assert returned(['abc'], []) == 0


def test_a_judge_that_is_not_installed_is_named_with_its_packages(monkeypatch):
    monkeypatch.setattr(judges, '_installed', lambda name: name == 'torch')
    found = available()
    assert found['faces'] is None
    assert found['people'] == "dlib and face_recognition_models not installed: pip install 'hii-mm[judges]'"
    assert found['characters'] == "rapidocr and onnxruntime not installed: pip install 'hii-mm[judges]'"
    assert found['photo'] == found['classes']
    assert 'torch' not in found['classes'].split(' not installed')[0].split(' and ')


def test_equal_pictures_of_a_photo_are_judged_once_and_other_ones_anew(monkeypatch):
    rng, seen = np.random.default_rng(0), []
    monkeypatch.setattr(judges, 'judge', lambda expected, image: seen.append(1) or {'faces': float(image.mean())})
    monkeypatch.setattr(judges, 'find', lambda plain: {})
    one, two = (rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2))
    case, yardsticks = Case('a', 0, Scheme(16), one), Yardsticks({})
    first = yardsticks.figures(case, one, two)
    first['faces'] = -1.0  # the caller may change what it was given
    assert yardsticks.figures(case, one, two.copy())['faces'] == two.mean()
    assert yardsticks.figures(case, one, one)['faces'] == one.mean()
    assert len(seen) == 2
    yardsticks.figures(case, two, two)  # another photo of that name
    assert len(seen) == 3
