"""Nothing of a COCO file passes but what has the type of COCO: hostile and careless values of every field."""

import json
import os
import tarfile

import pytest

import hii_mm
from helpers.copies import annotations, tree, write_coco, write_images
from hii_mm import Scheme
from hii_mm.errors import UsageError

ODD = ['secret', {'secret': 1}, ['secret'], [1], 1.5, True, -(2**70), None]


def rewritten(ann, change):
    """Change the data of a COCO file."""
    data = json.loads(ann.read_text())
    change(data)
    ann.write_text(json.dumps(data))


@pytest.mark.parametrize('strategy', ['shuffle', 'mixup'])
@pytest.mark.parametrize('field', ['id', 'category_id', 'iscrowd'])
@pytest.mark.parametrize('value', [value for value in ODD if value is not True])
def test_an_annotation_with_a_value_of_another_type_is_left_out(tmp_path, key, strategy, field, value):
    rows = [{'bbox': [0, 0, 9, 9]}, {'bbox': [0, 0, 32, 32], field: value}, {'bbox': [20, 20, 9, 9]}]
    src, ann = write_coco(tmp_path, rows)
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16, strategy=strategy), annotations=[ann])
    assert outcome.images == 1
    assert outcome.dropped == {'annotations that are not valid': 1}
    ((name, reason),) = outcome.odd
    assert name == 'annotations/a.json: annotations[1]'
    assert field in reason
    assert not [path for path, data in tree(tmp_path / 'dst').items() if b'secret' in data]
    found = annotations(tmp_path / 'dst')
    assert {row.get('instance_id', row['id']) for row in found} == ({1, 2} if strategy == 'shuffle' else {1, 3})


@pytest.mark.parametrize('value', [0, 1, True, False])
def test_a_crowd_is_a_number(tmp_path, key, value):
    src, ann = write_coco(tmp_path, [{'bbox': [0, 0, 9, 9], 'iscrowd': value}])
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    (row,) = annotations(tmp_path / 'dst')
    assert row['iscrowd'] == int(value)
    assert not isinstance(row['iscrowd'], bool)


@pytest.mark.parametrize(
    'field, values',
    [
        ('id', ODD),
        ('name', [3, {'secret': 1}, None]),
        ('supercategory', [3, {'secret': 1}, ['secret']]),
        ('keypoints', ['secret', [{'secret': 1}], 3]),
        ('skeleton', ['secret', [['secret', 'x']], [[1, 2, 3]], 3]),
    ],
)
def test_a_category_of_another_type_is_refused(tmp_path, key, field, values):
    src, ann = write_coco(tmp_path, [{'bbox': [0, 0, 9, 9]}])
    for value in values:
        rewritten(ann, lambda data, value=value: data['categories'].append({'id': 2, 'name': 'x', field: value}))
        with pytest.raises(UsageError, match=rf'a.json.*categories\[1\].*\$.{field}'):
            hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
        assert not (tmp_path / 'dst').exists()
        rewritten(ann, lambda data: data['categories'].pop())


def test_the_fields_of_a_category_that_pass(tmp_path, key):
    src, ann = write_coco(tmp_path, [{'bbox': [0, 0, 9, 9]}])
    kept = {'id': 1, 'name': 'person', 'supercategory': None, 'keypoints': ['nose', 'eye'], 'skeleton': [[1, 2]]}
    rewritten(ann, lambda data: data.update(categories=[{**kept, 'colour': 'secret'}]))
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    assert json.loads((tmp_path / 'dst' / 'annotations' / 'a.json').read_text())['categories'] == [kept]
    assert outcome.dropped == {'categories.colour': 1}


@pytest.mark.parametrize('kind', ['images', 'annotations', 'categories'])
def test_two_entries_with_one_id_are_named_and_nothing_is_written(tmp_path, key, kind):
    src, ann = write_coco(tmp_path, [{'bbox': [0, 0, 9, 9]}, {'bbox': [9, 9, 9, 9]}])
    rewritten(ann, lambda data: data[kind].append(dict(data[kind][0])))
    last = len(json.loads(ann.read_text())[kind]) - 1
    with pytest.raises(UsageError, match=rf'ids must be unique, but {kind}\[0\] and {kind}\[{last}\] are both 1;'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    assert not (tmp_path / 'dst').exists()


def test_many_equal_ids_are_counted(tmp_path, key):
    src, ann = write_coco(tmp_path, [{'bbox': [0, 0, 9, 9], 'id': 7} for _ in range(100)])
    with pytest.raises(UsageError, match=r'are both 7, .* are both 7, and 94 more; correct the file') as error:
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    assert len(str(error.value)) < 1000


def test_all_annotations_have_an_id_or_none(tmp_path, key):
    src, ann = write_coco(tmp_path, [{'bbox': [0, 0, 9, 9]}, {'bbox': [9, 9, 9, 9]}, {'bbox': [20, 20, 9, 9]}])
    rewritten(ann, lambda data: data['annotations'][1].pop('id'))
    with pytest.raises(UsageError, match=r'1 annotations have no id, the first is annotations\[1\]'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    rewritten(ann, lambda data: [row.pop('id', None) for row in data['annotations']])
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16, strategy='mixup'), annotations=[ann])
    assert [row['id'] for row in annotations(tmp_path / 'dst')] == [1, 2, 3]


def test_one_image_in_two_entries_is_moved_in_both(tmp_path, key):
    src, ann = write_coco(tmp_path, [{'bbox': [0, 0, 9, 9]}])
    rewritten(ann, lambda data: data['images'].append(dict(data['images'][0], id=2)))
    rewritten(ann, lambda data: data['annotations'].append(dict(data['annotations'][0], id=2, image_id=2)))
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    assert [(row['image_id'], row['instance_id']) for row in annotations(tmp_path / 'dst')] == [(1, 1), (2, 2)]


@pytest.mark.parametrize('parts', [1, 2])
def test_objects_are_counted_through_the_data_set(tmp_path, key, parts):
    """Whatever their ids were, in whatever order, and whichever were left out."""
    src = write_images(tmp_path / 'src', [f'{i}.png' for i in range(4)], (64, 64, 3))
    images = [dict(id=70 - i, file_name=f'{i}.png', height=64, width=64) for i in range(4)]
    rows = [
        dict(id=1000 - 7 * i, image_id=70 - i % 4, category_id=1, bbox=[3 * i, i, 20 if i != 6 else -1, 20])
        for i in range(12)
    ]
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=images, annotations=rows, categories=[])))
    for index in range(parts):
        hii_mm.encrypt(
            src,
            tmp_path / 'dst',
            key=key,
            scheme=Scheme(16),
            annotations=[tmp_path / 'a.json'],
            part=(index, parts),
        )
    if parts > 1:
        hii_mm.merge(tmp_path / 'dst', key=key)
    found = [(row['instance_id'], 70 - row['image_id']) for row in annotations(tmp_path / 'dst')]
    assert sorted(set(found)) == [(i + 1, image) for i, image in enumerate([0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3])]


def test_objects_are_counted_anew_in_each_sample_of_a_tar_file(tmp_path, key):
    src = write_images(tmp_path / 'src', ['0.png', '1.png'], (64, 64, 3))
    images = [dict(id=i, file_name=f'{i}.png', height=64, width=64) for i in range(2)]
    rows = [dict(id=50 + i, image_id=i // 2, category_id=1, bbox=[3 * i, i, 20, 20]) for i in range(4)]
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=images, annotations=rows, categories=[])))
    given = {'annotations': [tmp_path / 'a.json'], 'format': 'shards'}
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), **given)
    with tarfile.open(tmp_path / 'dst' / 'shard-000000.tar') as tar:
        samples = [json.load(tar.extractfile(name)) for name in tar.getnames() if name.endswith('.json')]
    assert [{row['instance_id'] for row in sample[0][1]} for sample in samples] == [{1, 2}, {1, 2}]
    assert {row['instance_id'] for row in annotations(tmp_path / 'dst')} == {1, 2, 3, 4}


def test_visibility_of_keypoints_is_0_1_or_2(tmp_path, key):
    rows = [{'bbox': [0, 0, 32, 32], 'keypoints': [1, 1, v]} for v in (0, 1, 2, 0.5, 1234567, -1)]
    src, ann = write_coco(tmp_path, rows)
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    assert [name for name, _ in outcome.odd] == [f'annotations/a.json: annotations[{i}]' for i in (3, 4, 5)]
    assert {row['instance_id'] for row in annotations(tmp_path / 'dst') if 'keypoints' in row} == {1, 2, 3}


def test_malformed_annotations_are_named_up_to_a_limit(tmp_path, key):
    src, ann = write_coco(tmp_path, [{'bbox': 'x'} for _ in range(1200)])
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    assert outcome.dropped == {'annotations that are not valid': 1200}
    assert len(outcome.odd) == 1000
    assert outcome.images == 1


def test_a_pipe_in_place_of_a_coco_file_is_refused(tmp_path, key):
    src, ann = write_coco(tmp_path, [])
    ann.unlink()
    os.mkfifo(ann)
    with pytest.raises(UsageError, match=r'a.json. cannot be read: not a regular file'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
