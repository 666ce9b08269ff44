"""COCO annotations that follow the encryption: against masks that are painted and shuffled."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from hii_mm.cli import main
from hii_mm.encryption import MixupParams, ShuffleParams
from hii_mm.encryption.keyed import read_key

QUICK = ['--quiet', '--workers', '1']
SECRETS = ('flickr', 'coco_url', 'license', 'date_captured', 'caption', 'info')


@pytest.fixture
def key(tmp_path):
    """A key file."""
    assert main(['keygen', str(tmp_path / 'key')]) == 0
    return str(tmp_path / 'key')


def write_set(folder, kind, count=3, h=64, w=96):
    """A COCO data set of noise with two objects a picture, outlines as ``kind``; gives the json."""
    rng, images, annotations = np.random.default_rng(0), [], []
    (folder / 'img').mkdir(parents=True)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)).save(folder / 'img' / f'{i}.png')
        extra = dict(license=3, flickr_url='flickr', coco_url='coco_url', date_captured='date_captured')
        images.append(dict(id=100 + i, file_name=f'{i}.png', height=h, width=w, **extra))
        for k in range(2):
            x, y = rng.integers(0, w - 40), rng.integers(0, h - 30)
            bw, bh = rng.integers(10, 38), rng.integers(10, 28)
            mask = np.zeros((h, w), np.uint8)
            mask[y : y + bh, x : x + bw] = 1
            outline = [[x, y, x + bw, y, x + bw, y + bh, x, y + bh]]
            rle = coco_mask.encode(np.asfortranarray(mask))
            rle['counts'] = rle['counts'].decode()
            annotations.append(
                dict(
                    id=10 * i + k + 1, image_id=100 + i, category_id=7, bbox=[x, y, bw, bh], area=bw * bh, iscrowd=0,
                    segmentation=np.array(outline).tolist() if kind == 'polygon' else rle, caption='caption',
                    keypoints=[x + 1, y + 1, 2, x + bw - 1, y + bh - 1, 1], num_keypoints=2,
                )
            )  # fmt: skip
    data = dict(
        images=images, annotations=annotations, categories=[dict(id=7, name='thing')], info=dict(a='info'), licenses=[]
    )
    data = json.loads(json.dumps(data, default=int))
    (folder / 'a.json').write_text(json.dumps(data))
    return data


@pytest.mark.parametrize('kind', ['polygon', 'rle'])
@pytest.mark.parametrize('flags', [[], ['--gap', '2', '--orient'], ['--drop-ratio', '0.3']])
def test_fragments_outlines_and_keypoints_follow_their_pixels(tmp_path, key, kind, flags):
    data = write_set(tmp_path / 'src', kind)
    words = [str(tmp_path / 'src'), str(tmp_path / 'dst'), '--ann', f'{tmp_path / "src" / "a.json"}=img', '--key', key]
    assert main(['encrypt', *words, *flags, *QUICK]) == 0
    text = (tmp_path / 'dst' / 'annotations' / 'a.json').read_text()
    assert not [word for word in SECRETS if word in text]
    coco = COCO(str(tmp_path / 'dst' / 'annotations' / 'a.json'))
    options = dict(gap=2, orient=True) if '--gap' in flags else dict(drop_ratio=0.3) if flags else {}
    params = ShuffleParams(16, **options)
    assert sorted(coco.imgs) == [100, 101, 102]
    for image_id, image in coco.imgs.items():
        plan = read_key(key).plan(params, 'img/' + image['file_name'].removesuffix('.png'), (64, 96))
        assert (image['height'], image['width']) == plan.encrypted_shape
        assert Image.open(tmp_path / 'dst' / 'img' / image['file_name']).size == plan.encrypted_shape[::-1]
        for entry in [a for a in data['annotations'] if a['image_id'] == image_id]:
            moved = [a for a in coco.imgToAnns[image_id] if a['instance_id'] == entry['id']]
            x, y, w, h = entry['bbox']
            painted = np.zeros((64, 96), np.uint8)
            painted[y : y + h, x : x + w] = 1
            truth = plan.apply(painted)
            boxes, masks = np.zeros_like(truth), np.zeros_like(truth)
            for part in moved:
                assert part['category_id'] == 7
                bx, by, bw, bh = map(round, part['bbox'])
                boxes[by : by + bh, bx : bx + bw] += 1
                masks += coco.annToMask(part)
                assert part['area'] == pytest.approx(coco.annToMask(part).sum(), abs=2)
            assert (boxes == truth).all()
            assert (masks == truth).all()
            seen = sum(part['num_keypoints'] for part in moved)
            dots = np.zeros((64, 96), np.uint8)
            for px, py in ((x + 1, y + 1), (x + w - 1, y + h - 1)):
                dots[int(py), int(px)] += 1
            assert seen == plan.apply(dots).sum()
    assert len({a['id'] for a in coco.anns.values()}) == len(coco.anns)


def test_mixing_shrinks_everything(tmp_path, key):
    data = write_set(tmp_path / 'src', 'polygon')
    words = [
        str(tmp_path / 'src' / 'img'),
        str(tmp_path / 'dst'),
        '--ann',
        str(tmp_path / 'src' / 'a.json'),
        '--key',
        key,
    ]
    assert main(['encrypt', *words, '--strategy', 'mixup', *QUICK]) == 0
    moved = json.loads((tmp_path / 'dst' / 'annotations' / 'a.json').read_text())
    for old, new in zip(data['annotations'], moved['annotations'], strict=True):
        assert (new['id'], new['image_id']) == (old['id'], old['image_id'])
        assert new['bbox'] == [v / 2 for v in old['bbox']]
        assert new['segmentation'] == [[v / 2 for v in old['segmentation'][0]]]
    plain = np.array(Image.open(tmp_path / 'src' / 'img' / '0.png'))
    mixed = MixupParams(16, 2).plan(plain.shape).apply(plain)
    assert (np.array(Image.open(tmp_path / 'dst' / '0.png')) == mixed).all()


def test_the_copy_loads_in_mmdet(tmp_path, key):
    from mmdet.datasets import CocoDataset
    from mmengine.registry import init_default_scope

    write_set(tmp_path / 'src', 'polygon')
    words = [
        str(tmp_path / 'src' / 'img'),
        str(tmp_path / 'dst'),
        '--ann',
        str(tmp_path / 'src' / 'a.json'),
        '--key',
        key,
    ]
    assert main(['encrypt', *words, *QUICK]) == 0
    init_default_scope('mmdet')
    load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True, with_mask=True)]
    dataset = CocoDataset(
        data_root=str(tmp_path / 'dst'), ann_file='annotations/a.json', data_prefix=dict(img=''), pipeline=load,
        metainfo=dict(classes=('thing',)),
    )  # fmt: skip
    assert len(dataset) == 3
    assert all(len(dataset[i]['gt_bboxes']) >= 2 for i in range(3))


def test_parts_of_a_coco_copy_are_one_run(tmp_path, key):
    write_set(tmp_path / 'src', 'rle', count=7)
    words = [str(tmp_path / 'src' / 'img'), '--ann', str(tmp_path / 'src' / 'a.json'), '--key', key, *QUICK]
    assert main(['encrypt', words[0], str(tmp_path / 'whole'), *words[1:]]) == 0
    for part in (3, 1, 2):
        assert main(['encrypt', words[0], str(tmp_path / 'parts'), *words[1:], '--shard', f'{part}/3']) == 0
    assert main(['manifest', 'merge', str(tmp_path / 'parts'), '--key', key]) == 0
    whole, parts = ({p.relative_to(f): p.read_bytes() for p in f.rglob('*') if p.is_file()} for f in
                    (tmp_path / 'whole', tmp_path / 'parts'))  # fmt: skip
    assert whole == parts
