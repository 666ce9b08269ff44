"""Copies as other programs read them: pycocotools, mmdet and WebDataset."""

import json

import numpy as np
import pytest
import webdataset
from mmdet.datasets import CocoDataset
from mmengine.registry import init_default_scope
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

import hii_mm
from helpers.copies import annotations, pixels, plan_of, write_coco, write_images
from hii_mm import Scheme


@pytest.fixture
def key(tmp_path):
    """A key file."""
    hii_mm.write_new_key(tmp_path / 'key')
    return tmp_path / 'key'


def write_set(folder, kind, count=3, h=64, w=96):
    """Write a COCO data set with two objects an image, outlines as ``kind``; returns the json."""
    rng, images, rows = np.random.default_rng(0), [], []
    write_images(folder / 'img', [f'{i}.png' for i in range(count)], (h, w, 3))
    for i in range(count):
        images.append(dict(id=100 + i, file_name=f'{i}.png', height=h, width=w, license=3))
        for k in range(2):
            x, y = rng.integers(0, w - 40), rng.integers(0, h - 30)
            bw, bh = rng.integers(10, 38), rng.integers(10, 28)
            mask = np.zeros((h, w), np.uint8)
            mask[y : y + bh, x : x + bw] = 1
            run_lengths = coco_mask.encode(np.asfortranarray(mask))
            run_lengths['counts'] = run_lengths['counts'].decode()
            outline = [[x, y, x + bw, y, x + bw, y + bh, x, y + bh]]
            rows.append(
                dict(
                    id=10 * i + k + 1, image_id=100 + i, category_id=7, bbox=[x, y, bw, bh], area=bw * bh, iscrowd=0,
                    segmentation=outline if kind == 'polygon' else run_lengths,
                    keypoints=[x + 1, y + 1, 2, x + bw - 1, y + bh - 1, 1], num_keypoints=2,
                )
            )  # fmt: skip
    data = dict(images=images, annotations=rows, categories=[dict(id=7, name='thing')])
    data = json.loads(json.dumps(data, default=int))
    (folder / 'a.json').write_text(json.dumps(data))
    return data


@pytest.mark.parametrize('kind', ['polygon', 'rle'])
@pytest.mark.parametrize('options', [{}, {'gap': 2, 'orient': True}, {'drop_ratio': 0.3}])
def test_pycocotools_reads_the_moved_pixels(tmp_path, key, kind, options):
    plain, scheme, dst = write_set(tmp_path / 'src', kind), Scheme(16, **options), tmp_path / 'dst'
    hii_mm.encrypt(tmp_path / 'src', dst, key=key, scheme=scheme, annotations=[f'{tmp_path / "src" / "a.json"}=img'])
    coco = COCO(str(dst / 'annotations' / 'a.json'))
    assert sorted(coco.imgs) == [100, 101, 102]
    objects = 0
    for number, image in coco.imgs.items():
        image_id = 'img/' + image['file_name'].removesuffix('.png')
        plan = plan_of(dst, key, image_id, (64, 96))
        assert (image['height'], image['width']) == plan.encrypted_shape
        for entry in [a for a in plain['annotations'] if a['image_id'] == number]:
            x, y, w, h = entry['bbox']
            painted = np.zeros((64, 96), np.uint8)
            painted[y : y + h, x : x + w] = 1
            truth = plan.apply(painted)
            objects += bool(truth.any())  # they are counted anew
            parts = [a for a in coco.imgToAnns[number] if a['instance_id'] == objects and truth.any()]
            boxes, masks = np.zeros_like(truth), np.zeros_like(truth)
            for part in parts:
                bx, by, bw, bh = map(round, part['bbox'])
                boxes[by : by + bh, bx : bx + bw] += 1
                masks += coco.annToMask(part)
                assert part['area'] == pytest.approx(coco.annToMask(part).sum(), abs=2)
            assert (boxes == truth).all()
            assert (masks == truth).all()


def dataset(dst):
    """Return mmdet's data set of a copy."""
    init_default_scope('mmdet')
    load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True, with_mask=True)]
    return CocoDataset(
        data_root=str(dst), ann_file='annotations/a.json', data_prefix=dict(img=''), pipeline=load,
        metainfo=dict(classes=('thing',)),
    )  # fmt: skip


def test_the_copy_loads_in_mmdet(tmp_path, key):
    write_set(tmp_path / 'src', 'polygon')
    ann = [tmp_path / 'src' / 'a.json']
    hii_mm.encrypt(tmp_path / 'src' / 'img', tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=ann)
    loaded = dataset(tmp_path / 'dst')
    assert len(loaded) == 3
    assert all(len(loaded[i]['gt_bboxes']) >= 2 for i in range(3))


def test_fragments_that_the_outline_misses_load_in_mmdet(tmp_path, key):
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    disc = (64 + 60 * np.stack([np.cos(angle), np.sin(angle)], 1)).round(2)
    src, ann = write_coco(tmp_path, [{'bbox': [4, 4, 120, 120], 'segmentation': [disc.ravel().tolist()]}], 128, 128)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(8), annotations=[ann])
    assert len(dataset(tmp_path / 'dst')[0]['gt_masks']) == len(annotations(tmp_path / 'dst'))


def test_webdataset_reads_the_shards(tmp_path, key):
    src = write_images(tmp_path / 'src', [f'class{i % 2}/{i:02}.png' for i in range(24)], (48, 64, 3))
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), format='shards', shard_size=10)
    names = sorted(map(str, (tmp_path / 'dst').glob('*.tar')))
    assert len(names) == 3
    samples = list(webdataset.WebDataset(names, shardshuffle=False).decode('pil'))
    assert len(samples) == 24
    for sample in samples:
        plain = pixels(src / f'{sample["__key__"]}.png')
        assert sample['cls'] == int(sample['__key__'][5])
        plan = plan_of(tmp_path / 'dst', key, sample['__key__'], plain.shape)
        assert (plan.apply(plain) == np.array(sample['png'])).all()
