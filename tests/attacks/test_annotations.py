"""Annotations: scores against a slow count; a planted scene comes back, and one that tells nothing does not."""

import json

import numpy as np
import pytest
from PIL import Image

import hii_mm
from hii_mm import Scheme
from hii_mm.attacks import Given, make
from hii_mm.attacks.arguments import attack_names
from hii_mm.attacks.evaluation.cases import try_scheme
from hii_mm.attacks.evaluation.copies import load
from hii_mm.attacks.evaluation.given import Scene, given_to, lacking
from hii_mm.attacks.evaluation.objects import read_objects
from hii_mm.attacks.evaluation.photos import square
from hii_mm.attacks.evaluation.places import Places
from hii_mm.attacks.solver.fragments import FINE, fragment_scores, layers
from hii_mm.attacks.solver.pieces import classes, cut
from hii_mm.errors import AttackRefusedError, SourceError
from hii_mm.handover import rle

SIDE, PATCH = 128, 16


def objects_row(box):
    return dict(id=1, image_id=1, category_id=1, bbox=list(box), area=1.0, iscrowd=0)


def objects(count, seed=0, outlines=False):
    """Return COCO annotations of random boxes, or ellipses, on the plain picture."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(count):
        w, h = rng.uniform(20, 90, 2).round(2)
        x, y = (round(float(rng.uniform(0, SIDE - side)), 2) for side in (w, h))
        row = dict(id=number + 1, image_id=1, category_id=1, bbox=[x, y, float(w), float(h)], area=1.0, iscrowd=0)
        if outlines:
            angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
            xy = np.stack([x + w / 2 * (1 + np.cos(angle)), y + h / 2 * (1 + np.sin(angle))], axis=1)
            row['segmentation'] = [xy.round(2).ravel().tolist()]
        rows.append(row)
    return rows


@pytest.fixture
def copied(tmp_path):
    """Encrypt a flat picture with annotations, and return its case: a function of the rows and the scheme."""

    def _copied(rows, scheme, noise=0):
        (tmp_path / 'src' / 'deep').mkdir(parents=True)
        pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3)) if noise else np.full((SIDE, SIDE, 3), 90)
        pixels[::PATCH, ::PATCH, 0] = np.arange((SIDE // PATCH) ** 2).reshape(-1, SIDE // PATCH)  # no two pieces alike
        if scheme.shuffle.gap:
            pixels[2::PATCH, 2::PATCH, 0] = pixels[::PATCH, ::PATCH, 0]
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / 'src' / 'deep' / 'a.png')
        images = [dict(id=1, file_name='a.png', width=SIDE, height=SIDE)]
        text = dict(images=images, annotations=rows, categories=[dict(id=1, name='thing')])
        (tmp_path / 'coco.json').write_text(json.dumps(text))
        hii_mm.write_new_key(tmp_path / 'key')
        hii_mm.encrypt(
            tmp_path / 'src', tmp_path / 'copy', key=tmp_path / 'key', scheme=scheme,
            annotations=[f'{tmp_path}/coco.json=deep'],
        )  # fmt: skip
        (case,), left = load(tmp_path / 'copy', tmp_path / 'src', tmp_path / 'key')
        assert left == []
        return case

    return _copied


def attacked(case):
    given = Given((SIDE, SIDE), annotations=case.annotations)
    return make('annotations-only').recover(case.encrypted, case.scheme, given)


def neighbours(case, found):
    same = classes(cut(np.ascontiguousarray(case.encrypted), case.plan.shuffle.shape))
    return Places.of_plan(found.places, found.turns, case.plan.shuffle, same)['neighbour']


def true_pairs(case, upright=False):
    """Return the pieces that are side by side in the plain picture, (left, right) or (above, below)."""
    places = np.full(case.plan.shuffle.grid.shape, -1)
    places.ravel()[case.plan.shuffle.permutation] = np.arange(places.size)
    places = places.T if upright else places
    return places[:, :-1].ravel(), places[:, 1:].ravel()


@pytest.mark.parametrize('upright', [False, True])
def test_scores_are_those_of_a_slow_count(upright):
    rows = [
        dict(instance_id=1, bbox=[2, 1, 6, 4]),  # reaches the right side of piece 0
        dict(instance_id=1, bbox=[8, 1, 3, 4]),  # and goes on in piece 1, which is right of it
        dict(instance_id=1, bbox=[0, 8, 8, 8]),  # covers piece 2
        dict(instance_id=2, bbox=[9, 11, 6, 2], segmentation=[[9, 11, 15, 11, 12, 13]]),  # within piece 3
    ]
    found = layers(rows, (16, 16), (2, 2), [0], upright)
    assert [layer.exact for layer in found] == [True, True, False]
    scores = fragment_scores(found, 4, 0)
    sides = np.zeros((4, 2, 8 * FINE))  # of object 1: left and right side, or upper and lower
    for piece, (x1, y1, x2, y2) in {0: (2, 1, 8, 5), 1: (0, 1, 3, 5), 2: (0, 0, 8, 8)}.items():
        a, b, c, d = (y1, x1, y2, x2) if upright else (x1, y1, x2, y2)
        for side, reached in ((0, a == 0), (1, c == 8)):
            sides[piece, side, int(b * FINE) : int(d * FINE)] = reached
    for i in range(4):
        for j in range(4):
            one, two = sides[i, 1], sides[j, 0]
            if one.any() and two.any():
                agree = 1 if one.all() and two.all() else 4
                expected = max(agree - 1.5 * np.abs(one - two).sum() / FINE, -8)
            else:
                expected = -4 * (one.any() or two.any())
            assert scores[i, j] == pytest.approx(expected)


def test_run_lengths_and_the_outline_of_the_same_pixels_agree():
    mask = np.zeros((16, 16), np.uint8)
    mask[3:13, 5:8], mask[3:9, 8:12] = 1, 1
    outline = [5, 3, 12, 3, 12, 9, 8, 9, 8, 13, 5, 13]
    one, two = (
        layers([dict(category_id=1, bbox=[5, 3, 7, 10], segmentation=part)], (16, 16), (2, 2), [0])[1]
        for part in (rle.encode(mask), [outline])
    )
    assert (one.item == two.item).all()
    assert np.abs(one.right - two.right).sum() / FINE <= 1
    assert np.abs(one.left - two.left).sum() / FINE <= 1


@pytest.mark.parametrize('codes', [[0, 2, 4, 6], list(range(8))])
def test_turned_pieces_fit_as_the_upright_ones(codes):
    rows = [dict(instance_id=1, bbox=[2, 1, 9, 4]), dict(instance_id=2, bbox=[3, 6, 2, 7])]
    plain = fragment_scores(layers(rows, (16, 16), (2, 2), [0]), 4, 0)
    turned = fragment_scores(layers(rows, (16, 16), (2, 2), codes), 4 * len(codes), 0)
    assert (turned[:: len(codes), :: len(codes)] == plain).all()
    half = codes.index(2)  # both upside down, and the other way round
    assert (turned[half :: len(codes), half :: len(codes)] == plain.T).all()


@pytest.mark.parametrize('gap', [0, 2])
@pytest.mark.parametrize('outlines', [False, True])
def test_many_objects_on_a_picture_without_content_bring_it_back(copied, gap, outlines):
    case = copied(objects(40, outlines=outlines), Scheme(PATCH, gap=gap))
    found = attacked(case)
    assert neighbours(case, found) > 0.4
    ends, starts = true_pairs(case)
    right = np.where(np.isfinite(found.scores[0]), found.scores[0], -99)
    assert (right.argmax(axis=1)[ends] == starts).mean() > 0.4


def test_one_object_within_a_piece_tells_nothing(copied):
    case = copied([dict(objects(1)[0], bbox=[18, 18, 8, 8])], Scheme(PATCH))
    found = attacked(case)
    assert neighbours(case, found) < 0.15
    right = found.scores[0]
    assert np.ptp(right[np.isfinite(right)]) < 1e-3


def coco_file(path, rows, name='deep/a.png', side=SIDE):
    images = [dict(id=1, file_name=name, width=side, height=side)]
    path.write_text(json.dumps(dict(images=images, annotations=rows, categories=[dict(id=1, name='thing')])))
    return path


@pytest.mark.parametrize(
    'scheme, box',
    [
        (Scheme(PATCH, gap=2), [18, 33, 70, 41]),
        (Scheme(PATCH, strategy='both'), [16, 32, 64, 48]),  # mixing spreads what ends within a patch
    ],
    ids=['gap', 'mixed'],
)
def test_annotations_of_plain_photos_move_with_their_patches(scheme, box, tmp_path):
    x, y, w, h = box
    inside = np.zeros((SIDE, SIDE), np.uint8)
    inside[y : y + h, x : x + w] = 1
    objects = read_objects(coco_file(tmp_path / 'a.json', [objects_row(box)]), {'a': (SIDE, SIDE)})
    (case,), refused = try_scheme({'a': np.dstack([inside * 255] * 3)}, scheme, 1, 3, objects)
    assert (refused, objects.left) == ([], [])
    drawn = np.zeros(case.encrypted.shape[:2], np.uint8)
    for left, top, width, height in (row['bbox'] for row in case.annotations):
        drawn[round(top) : round(top + height), round(left) : round(left + width)] = 255
    assert len(case.annotations) > 3
    assert np.array_equal(drawn, case.encrypted[:, :, 0])


def test_boxes_follow_the_middle_square(tmp_path):
    photo = np.zeros((200, 300, 3), np.uint8)
    photo[40:100, 90:190] = 255
    file = tmp_path / 'a.json'
    rows = [objects_row([90, 40, 100, 60])]
    images = [dict(id=1, file_name='a.png', width=300, height=200)]
    file.write_text(json.dumps(dict(images=images, annotations=rows, categories=[])))
    plain = square(Image.fromarray(photo), SIDE)
    fit = read_objects(file, {'a': (200, 300)}, SIDE).fits['a']
    (x1, y1), (x2, y2) = fit.points([[90, 40], [190, 100]]).round().astype(int)
    drawn = np.zeros((SIDE, SIDE), bool)
    drawn[y1:y2, x1:x2] = True
    assert ((plain[:, :, 0] > 127) != drawn).mean() < 0.02


def test_entries_that_do_not_fit_are_left_out_and_said(tmp_path):
    file = coco_file(tmp_path / 'a.json', objects(2))
    assert '128 x 128' in read_objects(file, {'a': (64, 64)}).left[0]
    assert read_objects(file, {'other': (SIDE, SIDE)}).entries == {}
    images = [dict(id=k, file_name=f'{k}/a.png', width=SIDE, height=SIDE) for k in (1, 2)]
    file.write_text(json.dumps(dict(images=images, annotations=[], categories=[])))
    assert read_objects(file, {'a': (SIDE, SIDE)}).left == ['annotations of a: 2 entries have its file name']


def test_a_run_with_annotations_attacks_by_them(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    file = coco_file(tmp_path / 'a.json', objects(40))
    report = hii_mm.attack(
        {'a': photo, 'b': photo[::-1]}, Scheme(PATCH), size=0, attacks=['annotations-only'], annotations=file, effort=0
    )
    assert [row['image'] for row in report.data['results']] == ['a']
    assert report.data['results'][0]['metrics']['surviving'] > 0.2
    assert '--annotations' in report.data['not_run'][0]['reason']  # b has none
    assert attack_names(None, True)[-1] == 'annotations'
    assert 'annotations' not in attack_names(None)
    with pytest.raises(SourceError, match='go with plain photos'):
        hii_mm.attack({'a': photo}, Scheme(PATCH), encrypted=True, annotations=file)


def test_annotations_are_given_from_copies_alone(copied):
    case = copied(objects(3), Scheme(PATCH))
    given = given_to(type(make('annotations-only')), Scene(case, [case], (), 0))
    assert list(given.annotations) == list(case.annotations)
    assert {row['instance_id'] for row in given.annotations} == {1, 2, 3}
    bare = Given((SIDE, SIDE))
    assert 'a copy made with --ann' in lacking(type(make('annotations')), bare, case)
    with pytest.raises(AttackRefusedError, match='annotations: needs annotations'):
        make('annotations').recover(case.encrypted, case.scheme, bare)
