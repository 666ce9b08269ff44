"""AP of fragments in the plain frame: through real pipelines and on real copies, with the truth as the prediction."""

import json

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.registry import METRICS, init_default_scope
from mmengine.structures import InstanceData

import hii_mm
import hii_mm.register  # noqa: F401
from hii_mm import Scheme
from hii_mm.errors import CannotDecryptError, InvalidTypeError, InvalidValueError, KeyFileError
from hii_mm.inference.prediction import PLAIN
from hii_mm.training.evaluators import evaluator_problems

CLASSES = ('person', 'dog')
VARIABLE = 'HII_MM_TEST_KEY'
META = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'permutation')


def samples(root, *encrypting, ann_file='a.json'):
    """What a loader gives, annotations loaded before the encryption: the true fragments."""
    init_default_scope('mmdet')
    steps = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
    steps += [dict(type='Resize', scale=(240, 192), keep_ratio=True)] if encrypting else []
    cfg = dict(type='CocoDataset', data_root=str(root), ann_file=ann_file, data_prefix=dict(img=''))
    cfg.update(metainfo=dict(classes=CLASSES), test_mode=True)
    dataset = DATASETS.build(dict(cfg, pipeline=[*steps, *encrypting, dict(type='PackDetInputs', meta_keys=META)]))
    return [dataset[k]['data_samples'] for k in range(len(dataset))]


def scored(coco, found, **kwargs):
    """AP and AP50 when a model finds exactly the true fragments."""
    metric = METRICS.build(dict(type='ShuffledCocoMetric', ann_file=str(coco / 'a.json'), **kwargs))
    metric.dataset_meta = dict(classes=CLASSES)
    for sample in found:
        truth, scale = sample.gt_instances, torch.tensor([*sample.get('scale_factor', (1.0, 1.0))] * 2)
        scores = torch.full((len(truth.labels),), 0.9)
        boxes = getattr(truth.bboxes, 'tensor', truth.bboxes) / scale
        sample.pred_instances = InstanceData(bboxes=boxes, scores=scores, labels=truth.labels)
    metric.process({}, [sample.to_dict() for sample in found])
    result = metric.evaluate(len(found))
    return result['coco/bbox_mAP'], result['coco/bbox_mAP_50']


SHUFFLE = dict(type='PatchShuffle', patch_size=16, remainder='crop', return_permutation=True)


@pytest.mark.parametrize(
    'encrypting, sizes',
    [
        ([SHUFFLE], dict(patch_size=16)),
        ([dict(SHUFFLE, remainder='pad', window=3)], dict(patch_size=16)),
        ([dict(type='PatchMixup', patch_size=16, remainder='crop'), dict(SHUFFLE, patch_size=8)], dict(patch_size=8)),
    ],
    ids=['crop', 'pad, windows', 'mixed'],
)
def test_true_fragments_score_one(coco, encrypting, sizes):
    assert scored(coco, samples(coco, *encrypting), **sizes) == (1.0, 1.0)


def test_gaps_cost_precision_alone(coco):
    every, half = scored(coco, samples(coco, dict(SHUFFLE, gap=1)), patch_size=16, gap=1)
    assert half == 1
    assert every > 0.7


def test_another_permutation_does_not(coco):
    found = samples(coco, SHUFFLE)
    for sample in found:
        sample.set_metainfo(dict(permutation=np.roll(sample.permutation, 3)))
    assert scored(coco, found, patch_size=16)[1] < 0.3


def test_boxes_that_enclose_stay_where_they_are(coco):
    found = samples(coco, dict(SHUFFLE, window=2, bbox_mode='enclose', patch_size=8))
    assert scored(coco, found, patch_size=8, bbox_mode='enclose')[1] == 1


@pytest.fixture(scope='module')
def copy(coco, tmp_path_factory):
    """A shuffled copy of the COCO data set, and its key file."""
    root = tmp_path_factory.mktemp('copy')
    hii_mm.write_new_key(root / 'key')
    scheme, truth = Scheme(16, orient=True), [coco / 'a.json']
    hii_mm.encrypt(coco, root / 'dst', key=root / 'key', scheme=scheme, annotations=truth, fit='crop')
    return root


def test_the_owner_scores_a_copy(coco, copy, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(copy / 'key'))
    found = samples(copy / 'dst', ann_file='annotations/a.json')
    assert all(len(sample.gt_instances.labels) > 4 for sample in found)  # fragments
    assert scored(coco, found, copy=str(copy / 'dst'), key=VARIABLE) == (1.0, 1.0)


def test_keys_that_do_not_fit(coco, copy, monkeypatch, tmp_path):
    cfg = dict(type='ShuffledCocoMetric', ann_file=str(coco / 'a.json'), copy=str(copy / 'dst'), key=VARIABLE)
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(KeyFileError, match=f'the environment variable {VARIABLE} is not set'):
        METRICS.build(cfg)
    hii_mm.write_new_key(tmp_path / 'other')
    monkeypatch.setenv(VARIABLE, str(tmp_path / 'other'))
    with pytest.raises(CannotDecryptError):
        METRICS.build(cfg)


def test_a_path_in_place_of_a_variable_is_not_repeated(coco):
    with pytest.raises(InvalidValueError) as error:
        METRICS.build(dict(type='ShuffledCocoMetric', ann_file=str(coco / 'a.json'), copy='dst', key='/home/me/key'))
    assert 'name of an environment variable' in str(error.value)
    assert '/home/me' not in str(error.value)


@pytest.mark.parametrize('wrong', [{}, dict(patch_size=16, copy='dst', key='A'), dict(copy='dst')])
def test_arguments_that_do_not_fit(coco, wrong):
    with pytest.raises(InvalidValueError, match='needs either patch_size'):
        METRICS.build(dict(type='ShuffledCocoMetric', ann_file=str(coco / 'a.json'), **wrong))


def test_unknown_and_odd_permutations(coco):
    found = samples(coco, dict(SHUFFLE, return_permutation=False))
    with pytest.raises(InvalidValueError, match='set return_permutation=True'):
        scored(coco, found, patch_size=16)
    with pytest.raises(InvalidValueError, match='must be of pictures without drop_ratio'):
        scored(coco, samples(coco, dict(SHUFFLE, drop_ratio=0.3)), patch_size=16)
    with pytest.raises(InvalidTypeError, match='patch_size'):
        scored(coco, found, patch_size='16')


def test_it_is_accepted_for_shuffled_pictures(coco):
    """The run's check refuses mmdet's own metric there."""
    from mmengine.dataset import Compose

    from hii_mm.training.pipelines import check_pipeline

    init_default_scope('mmdet')
    built = Compose([dict(type='LoadImageFromFile'), SHUFFLE, dict(type='PackDetInputs')])
    checked = [check_pipeline('val_dataloader.dataset.pipeline', built, training=False)]
    for kind, problems in (('CocoMetric', 1), ('ShuffledCocoMetric', 0)):
        cfg = dict(val_evaluator=dict(type=kind, ann_file=json.dumps(str(coco / 'a.json'))))
        assert len(evaluator_problems(cfg, checked, [])) == problems


def test_the_inferencer_joins_with_the_key(checkpoints, copies):
    """Fewer boxes than fragments, in the plain frame; without the key the fragments."""
    from hii_mm.inference.detector import HIIDetector

    answers = {}
    for key in (None, copies / 'key'):
        model = HIIDetector(weights=checkpoints['patch-detector'], key=key, show_progress=False)
        (sample,) = list(
            model.forward(next(iter(model.preprocess(model._inputs_to_list(copies / 'rs16' / 'a.png'))))[1])
        )
        answers[key is None] = sample
    fragments, objects = answers[True].pred_instances, answers[False].pred_instances
    assert answers[False].metainfo['frame'] == PLAIN
    assert 'sides' in fragments and 'sides' not in objects
    assert 0 < len(objects.bboxes) < len(fragments.bboxes)
    assert (objects.bboxes[:, 2:] - objects.bboxes[:, :2]).max() > 16
