"""COCO annotations follow their pixels: against masks that are painted and shuffled."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import hii_mm
from helpers.copies import DATASET, annotations, pixels, plan_of, tree, write_coco, write_images
from hii_mm import Scheme
from hii_mm.errors import UsageError
from hii_mm.handover import coco, rle

SECRETS = ('flickr', 'coco_url', 'license', 'date_captured', 'caption', 'info')


def rle_slowly(segmentation):
    """Decode a compressed RLE, letter by letter: an oracle for :mod:`hii_mm.handover.rle`."""
    counts, value, shift = [], 0, 0
    for letter in segmentation['counts']:
        bits = ord(letter) - 48
        value += (bits % 32) * 2**shift
        shift += 5
        if bits < 32:
            value -= 2**shift if bits >= 16 else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value, shift = 0, 0
    h, w = segmentation['size']
    flat = [i % 2 for i, count in enumerate(counts) for _ in range(count)]
    return np.array(flat, np.uint8).reshape(w, h).T


def painted(segmentation, shape):
    """Paint rectangles with whole corners, or RLE."""
    if isinstance(segmentation, dict):
        return rle_slowly(segmentation)
    mask = np.zeros(shape, np.uint8)
    for outline in segmentation:
        xy = np.round(outline).astype(int).reshape(-1, 2)
        (x1, y1), (x2, y2) = xy.min(0), xy.max(0)
        mask[y1:y2, x1:x2] = 1
    return mask


def write_set(folder, kind, count=3, h=64, w=96):
    """Write a COCO data set of noise with two objects an image, outlines as ``kind``; returns the json."""
    rng, images, rows = np.random.default_rng(0), [], []
    write_images(folder / 'img', [f'{i}.png' for i in range(count)], (h, w, 3))
    for i in range(count):
        extra = dict(license=3, flickr_url='flickr', coco_url='coco_url', date_captured='date_captured')
        images.append(dict(id=100 + i, file_name=f'{i}.png', height=h, width=w, **extra))
        for k in range(2):
            x, y = rng.integers(0, w - 40), rng.integers(0, h - 30)
            bw, bh = rng.integers(10, 38), rng.integers(10, 28)
            mask = np.zeros((h, w), np.uint8)
            mask[y : y + bh, x : x + bw] = 1
            outline = [[x, y, x + bw, y, x + bw, y + bh, x, y + bh]]
            rows.append(
                dict(
                    id=10 * i + k + 1, image_id=100 + i, category_id=7, bbox=[x, y, bw, bh], area=bw * bh, iscrowd=0,
                    segmentation=outline if kind == 'polygon' else rle.encode(mask), caption='caption',
                    keypoints=[x + 1, y + 1, 2, x + bw - 1, y + bh - 1, 1], num_keypoints=2,
                )
            )  # fmt: skip
    categories = [dict(id=7, name='thing')]
    data = dict(images=images, annotations=rows, categories=categories, info=dict(a='info'), licenses=[])
    data = json.loads(json.dumps(data, default=int))
    (folder / 'a.json').write_text(json.dumps(data))
    return data


@pytest.mark.parametrize('kind', ['polygon', 'rle'])
@pytest.mark.parametrize('options', [{}, {'gap': 2, 'orient': True, 'tone': True}, {'drop_ratio': 0.3}])
def test_fragments_outlines_and_keypoints_follow_their_pixels(tmp_path, key, kind, options):
    src, dst, scheme = tmp_path / 'src', tmp_path / 'dst', Scheme(16, **options)
    plain = write_set(src, kind)
    hii_mm.encrypt(src, dst, key=key, scheme=scheme, annotations=[f'{src / "a.json"}=img'])
    text = (dst / 'annotations' / 'a.json').read_text()
    assert not [word for word in SECRETS if word in text]
    moved = json.loads(text)
    assert [image['id'] for image in moved['images']] == [100, 101, 102]
    objects = 0
    for image in moved['images']:
        image_id = 'img/' + image['file_name'].removesuffix('.png')
        plan = plan_of(dst, key, image_id, (64, 96))
        assert (image['height'], image['width']) == plan.encrypted_shape
        assert pixels(dst / 'img' / image['file_name']).shape[:2] == plan.encrypted_shape
        for entry in [a for a in plain['annotations'] if a['image_id'] == image['id']]:
            x, y, w, h = entry['bbox']
            plain_mask = np.zeros((64, 96), np.uint8)
            plain_mask[y : y + h, x : x + w] = 1
            truth = plan.apply_mask(plain_mask)
            objects += bool(truth.any())  # they are counted anew: their plain ids are 1, 2, 11, 12, ...
            parts = [a for a in moved['annotations'] if a['instance_id'] == objects and truth.any()]
            boxes, masks = np.zeros_like(truth), np.zeros_like(truth)
            for part in parts:
                assert (part['category_id'], part['image_id']) == (7, image['id'])
                bx, by, bw, bh = map(round, part['bbox'])
                boxes[by : by + bh, bx : bx + bw] += 1
                mask = painted(part['segmentation'], truth.shape)
                assert part['area'] == pytest.approx(mask.sum(), abs=2)
                masks += mask
            assert (boxes == truth).all()
            assert (masks == truth).all()
            dots = np.zeros((64, 96), np.uint8)
            for px, py in ((x + 1, y + 1), (x + w - 1, y + h - 1)):
                dots[int(py), int(px)] += 1
            assert sum(part['num_keypoints'] for part in parts) == plan.apply_mask(dots).sum()
    assert [a['id'] for a in moved['annotations']] == list(range(1, len(moved['annotations']) + 1))
    assert {a['instance_id'] for a in moved['annotations']} == set(range(1, objects + 1))


def test_mixing_shrinks_everything(tmp_path, key):
    plain = write_set(tmp_path / 'src', 'polygon')
    src, dst = tmp_path / 'src' / 'img', tmp_path / 'dst'
    scheme = Scheme(16, strategy='mixup')
    hii_mm.encrypt(src, dst, key=key, scheme=scheme, annotations=[tmp_path / 'src' / 'a.json'])
    for old, new in zip(plain['annotations'], annotations(dst), strict=True):
        assert (new['id'], new['image_id']) == (old['id'], old['image_id'])
        assert new['bbox'] == [v / 2 for v in old['bbox']]
        assert new['segmentation'] == [[v / 2 for v in old['segmentation'][0]]]
    assert (pixels(dst / '0.png') == scheme.plan((64, 96)).apply(pixels(src / '0.png'))).all()


@pytest.mark.parametrize('options', [{}, {'format': 'shards', 'shard_size': 3}])
def test_parts_of_a_coco_copy_are_one_run(tmp_path, key, options):
    write_set(tmp_path / 'src', 'rle', count=7)
    src, given_ = tmp_path / 'src' / 'img', {'annotations': [tmp_path / 'src' / 'a.json'], **options}
    whole = hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=Scheme(16), dataset_id=DATASET, **given_)
    for index in (2, 0, 1):
        hii_mm.encrypt(
            src, tmp_path / 'parts', key=key, scheme=Scheme(16), dataset_id=DATASET, part=(index, 3), **given_
        )
    merged = hii_mm.merge(tmp_path / 'parts', key=key)
    assert tree(tmp_path / 'parts') == tree(tmp_path / 'whole')
    assert merged.images == whole.images == 7
    assert merged.dropped.items() <= whole.dropped.items()


def test_what_is_left_out_is_counted(tmp_path, key):
    write_set(tmp_path / 'src', 'polygon')
    outcome = hii_mm.encrypt(
        tmp_path / 'src' / 'img', tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=tmp_path / 'src' / 'a.json'
    )
    assert outcome.dropped['annotations.caption'] == 6
    assert outcome.dropped['images.flickr_url'] == 3
    assert outcome.dropped['info'] == outcome.dropped['licenses'] == 1
    assert 0 not in outcome.dropped.values()


def test_coordinates_of_a_resized_and_shuffled_image_reveal_no_place(tmp_path, key):
    """Whole plain coordinates, scaled, would have decimals that only the right column of patches explains."""
    rng = np.random.default_rng(1)
    rows = [
        {
            'bbox': [int(x), int(y), 111, 97],
            'segmentation': [[int(x), int(y), int(x) + 111, int(y) + 3, int(x) + 50, int(y) + 97]],
            'keypoints': [int(x) + 50, int(y) + 31, 2],
        }
        for x, y in rng.integers(0, 200, (12, 2))
    ]
    src, ann = write_coco(tmp_path, rows, 320, 426)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16, gap=2), size=224, fit='crop', annotations=[ann])
    found = annotations(tmp_path / 'dst')
    assert len(found) > 100  # the key is random
    for row in found:
        assert all(isinstance(value, int) for value in row['bbox'] + row['keypoints'])
        outline = np.array(row['segmentation'][0]).reshape(-1, 2)
        own = (outline % 12 != 0).all(1)  # not where the border of a patch cuts the outline
        assert (outline[own] % 1 == 0).all()


def test_coordinates_have_the_decimals_of_coco(tmp_path, key):
    """More would be the rounding of floats, which differs from column to column."""
    rows = [{'bbox': [0.1 + 7.03 * i, 3.07 + 5.01 * i, 60.13, 41.77]} for i in range(9)]
    src, ann = write_coco(tmp_path, rows, 128, 128)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    for row in annotations(tmp_path / 'dst'):
        assert all(value == float(f'{value:.2f}') for value in row['bbox'])


def test_fragments_that_the_outline_misses_are_left_out(tmp_path, key):
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    disc = (64 + 60 * np.stack([np.cos(angle), np.sin(angle)], 1)).round(2)
    rows = [{'bbox': [4, 4, 120, 120], 'area': 11290, 'segmentation': [disc.ravel().tolist()]}]
    src, ann = write_coco(tmp_path, rows, 128, 128)
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(8), annotations=[ann])
    assert outcome.dropped['fragments of boxes that the outline does not reach'] > 0
    found = annotations(tmp_path / 'dst')
    assert all(row['segmentation'] for row in found)
    x, y = disc.T
    whole = 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))
    assert sum(row['area'] for row in found) == pytest.approx(whole, abs=1)


@pytest.mark.parametrize('orient', [False, True])
def test_keypoints_on_a_border_of_patches_go_with_their_pixel(tmp_path, key, orient):
    rows = [
        {'bbox': [3, 3, 58, 58], 'keypoints': [x, y, 2], 'num_keypoints': 1}
        for x in (15, 16, 32, 48)
        for y in (16, 24, 32)
    ]
    src, ann = write_coco(tmp_path, rows)
    scheme = Scheme(16, orient=orient)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=scheme, annotations=[ann])
    plan = plan_of(tmp_path / 'dst', key, '0', (64, 64))
    for number, row in enumerate(rows, 1):
        (found,) = [a for a in annotations(tmp_path / 'dst') if a['instance_id'] == number and a['num_keypoints']]
        dot = np.zeros((64, 64), np.uint8)
        dot[row['keypoints'][1], row['keypoints'][0]] = 1
        ((py, px),) = np.argwhere(plan.apply(dot))
        x, y, w, h = found['bbox']
        assert x <= px < x + w and y <= py < y + h


def test_a_bad_file_name_in_the_json_is_not_repeated(tmp_path, key):
    src, ann = write_coco(tmp_path, [])
    data = json.loads(ann.read_text())
    data['images'] += [dict(id=2, file_name='/home/alice/jane.png', width=9, height=9), dict(id=3, width=9, height=9)]
    ann.write_text(json.dumps(data))
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    text = (tmp_path / 'dst' / 'rejects.jsonl').read_text()
    assert 'alice' not in text
    assert [json.loads(line)['name'] for line in text.splitlines()] == [
        'annotations/a.json: images[1]',
        'annotations/a.json: images[2]',
    ]


def test_images_that_do_not_fit_their_entry_are_rejected(tmp_path, key):
    src = write_images(tmp_path / 'src', [f'{i}.png' for i in range(7)], (32, 32, 3))
    sizes = [(32, 32), (48, 32), ('32', 32), (32.0, 32), (0, 32), (10**400, 32), (None, 32)]
    images = [dict(id=i, file_name=f'{i}.png', height=h, width=w) for i, (h, w) in enumerate(sizes)]
    images += [dict(file_name='no-id.png', height=1, width=1), dict(id=9, file_name='gone.png', height=1, width=1)]
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=images)))
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[tmp_path / 'a.json'])
    assert outcome.images == 1
    reasons = dict(outcome.rejects)
    assert '32 x 48 pixels, but the upright image has 32 x 32' in reasons['1.png']
    for name in ('2.png', '3.png', '4.png', '5.png', '6.png', 'no-id.png'):
        assert reasons[name] == 'the annotation file lacks its id, width or height'
    assert 'cannot be read: No such file' in reasons['gone.png']


def test_odd_values_are_left_out(tmp_path, key):
    src, ann = write_coco(tmp_path, [{'bbox': [0, 0, 5, 5]}, {'bbox': [0, 0, 10**400, 5]}])
    data = json.loads(ann.read_text())
    first = data['annotations'][0]
    data['annotations'] += [dict(first, image_id=[1]), dict(first, image_id=None), dict(first, bbox=[1, 2, 3])]
    data['annotations'] += [dict(first, bbox=value) for value in (None, 'xxxx', [True, 1, 5, 5], [0, 0, 0, 5], {})]
    data['annotations'] += [dict(first, bbox=[70, 0, 5, 5]), dict(first, image_id=True)]
    for number, row in enumerate(data['annotations']):
        row['id'] = number
    folder = tmp_path / 'run=1'
    folder.mkdir()
    (folder / 'a.json').write_text(json.dumps(data).replace('[1, 2, 3]', '[1e999, NaN, 1, 2]'))
    scheme = Scheme(16, strategy='mixup')
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=scheme, annotations=[folder / 'a.json'])
    (row,) = annotations(tmp_path / 'dst')
    assert row['bbox'] == [0, 0, 2.5, 2.5]
    assert outcome.dropped == {
        'annotations of no image': 3,
        'annotations that are not valid': 6,
        'annotations without a box inside the image': 2,
    }
    assert [name for name, _ in outcome.odd] == [f'annotations/a.json: annotations[{i}]' for i in (1, 4, 5, 6, 7, 9)]
    assert all(reason.startswith('left out: ') and 'bbox' in reason for _, reason in outcome.odd)


ODD_OUTLINES = ['x', 3, True, ['x'], [3], [[1, 2]], [[1, 2, 3]], [[None] * 6], [[1, 2, 'x', 4, 5, 6]], [[10**400] * 6]]
ODD_OUTLINES += [
    [['1', '2', '3', '4', '5', '6']],
    [[True] * 6],
    [[float('nan')] * 6],
    [[1e300] * 6],
    [[[1, 2]] * 3],
    '',
]
ODD_RLE = [
    {},
    {'size': [64, 64]},
    {'size': [64, 63], 'counts': [64 * 63]},
    {'size': [64, 64], 'counts': [1, 2]},
    {'size': [64, 64], 'counts': [-1, 4097]},
    {'size': [64, 64], 'counts': [2**63, 4096]},
    {'size': [64, 64], 'counts': [10**400]},
    {'size': [64, 64], 'counts': [2**62] * 4 + [4096]},  # the sum is 4096 modulo 2**64
    {'size': [64, 64], 'counts': [2**31, 2**31, 4096]},  # and modulo 2**32
    {'size': [64, 64], 'counts': [0] * 5000 + [4096]},
    {'size': [64, 64], 'counts': [4096.0]},
    {'size': [64, 64], 'counts': 'PPPPPPPPP1' * 3 + 'o' * 1000000},
    {'size': [2**32, 2**32], 'counts': []},
    {'size': [64, 64], 'counts': 'oooooo'},
    {'size': [64, 64], 'counts': '\ud800'},
    {'size': [64, 64], 'counts': None},
    {'size': 64, 'counts': [4096]},
]


@pytest.mark.parametrize('segmentation', ODD_OUTLINES + ODD_RLE)
def test_odd_segmentations_are_left_out(tmp_path, key, segmentation):
    src, ann = write_coco(tmp_path, [{'bbox': [0, 0, 32, 32], 'segmentation': segmentation, 'keypoints': [1, 2]}])
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    found = annotations(tmp_path / 'dst')
    assert found and not [row for row in found if 'segmentation' in row or 'keypoints' in row]
    assert outcome.dropped == {
        'keypoints that are not triples x, y, v with v 0, 1 or 2': 1,
        'segmentations that are neither polygons nor RLE of the image': 1,
    }
    assert {name for name, _ in outcome.odd} == {'annotations/a.json: annotations[0]'}
    assert len(outcome.odd) == 2


@pytest.mark.parametrize(
    'text, message',
    [
        ('', 'not valid JSON'),
        ('[]', 'Expected `object`, got `array`'),
        ('{}', 'missing required field `images`'),
        ('{"images": []}', r'length >= 1 - at `\$.images`'),
        ('{"images": {"a": 1}}', r'Expected `array`, got `object` - at `\$.images`'),
        ('{"images": [3]}', r'Expected `object`, got `int` - at `\$.images\[0\]`'),
        ('{"images": [{}], "annotations": [[]]}', r'at `\$.annotations\[0\]`'),
        ('{"images": [{}], "categories": null}', r'at `\$.categories`'),
        ('{"images": ' + '[' * 100000, 'recursion'),
        ('{"images": [{"id": ' + '9' * 5000 + '}]}', 'Exceeds the limit'),
        ('\xff\xfe', 'not valid JSON'),
    ],
)
def test_files_that_are_not_coco_are_refused(tmp_path, src, key, text, message):
    (tmp_path / 'a.json').write_bytes(text.encode('latin1'))
    with pytest.raises(UsageError, match=message) as error:
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[tmp_path / 'a.json'])
    assert 'a.json' in str(error.value)
    assert not (tmp_path / 'dst').exists()


def test_two_files_of_one_name_and_folders_that_lead_out(tmp_path):
    for folder in 'ab':
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'x.json').write_text('{"images": [{}]}')
    with pytest.raises(UsageError, match="would both be written to 'annotations/x.json'"):
        coco.read_all([tmp_path / 'a' / 'x.json', tmp_path / 'b' / 'x.json'])
    with pytest.raises(UsageError, match="'../img' is not a folder below SRC"):
        coco.read(f'{tmp_path / "a" / "x.json"}=../img')


def test_the_folder_behind_a_file(tmp_path):
    (tmp_path / 'run=1').mkdir()
    path = str(tmp_path / 'run=1' / 'a.json')
    (tmp_path / 'run=1' / 'a.json').touch()
    assert coco.split(path) == (path, '')
    assert coco.split(f'{path}=img/') == (path, 'img')
    assert coco.split('a.json') == ('a.json', '')


@given(
    st.integers(1, 12).flatmap(
        lambda h: st.lists(st.lists(st.booleans(), min_size=h, max_size=h), min_size=1, max_size=12)
    )
)
def test_rle_comes_back(columns):
    mask = np.array(columns, np.uint8).T
    encoded = rle.encode(mask)
    assert (rle_slowly(encoded) == mask).all()
    assert (rle.decode(encoded, mask.shape) == mask).all()
    runs = [0] if columns[0][0] else []
    for i, value in enumerate(mask.T.ravel()):
        runs = [*runs, 1] if i and value != mask.T.ravel()[i - 1] or not i else [*runs[:-1], runs[-1] + 1]
    assert (rle.decode({'size': list(mask.shape), 'counts': runs}, mask.shape) == mask).all()


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=30))
def test_any_text_is_decoded_or_refused(text):
    found = rle.decode({'size': [4, 4], 'counts': text}, (4, 4))
    assert found is None or (found.shape == (4, 4) and found.max() <= 1)


def test_padding_is_no_part_of_an_object(tmp_path, key):
    rows = [{'bbox': [40, 40, 60, 60], 'segmentation': {'size': [70, 70], 'counts': [0, 4900]}}]
    src, ann = write_coco(tmp_path, rows, 70, 70)
    scheme = Scheme(16, strategy='mixup', remainder='pad')
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=scheme, annotations=[ann])
    (row,) = annotations(tmp_path / 'dst')
    assert row['bbox'] == [20, 20, 15, 15]
    mask = rle_slowly(row['segmentation'])
    assert mask.shape == (40, 40)
    assert mask.sum() == row['area'] == 35 * 35


@pytest.mark.parametrize('folder', [None, 'secret folder'])
def test_a_renamed_copy_names_its_images_by_pseudonym(tmp_path, key, folder):
    src, ann = write_coco(tmp_path, [{'bbox': [0, 0, 5, 5]}])
    if folder:
        (src / folder).mkdir()
        (src / '0.png').rename(src / folder / '0.png')
        ann = f'{ann}={folder}'
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann], rename=True)
    assert not [path for path, data in tree(tmp_path / 'dst').items() if b'secret' in data or 'secret' in path]
    (image,) = json.loads((tmp_path / 'dst' / 'annotations' / 'a.json').read_text())['images']
    assert len(image['file_name']) == 36
    with Image.open(tmp_path / 'dst' / image['file_name']) as opened:
        assert opened.size == (64, 64)
