"""Every config is built, reads an image through its pipelines and does one training step."""

import copy
import functools

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS as DETECTION_DATASETS
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate, pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATA_SAMPLERS, METRICS, MODELS, init_default_scope
from mmpretrain.registry import DATASETS

from helpers import ROOT
from hii_mm import Scheme
from hii_mm.named import NAMED
from hii_mm.training.pipelines import check_pipeline

ALL = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('configs/**/*.py') if '_base_' not in path.parts)
OF_PRESETS = [path for path in ALL if path.startswith('configs/presets/')]
LARGE = [path for path in OF_PRESETS if 'mini' not in path]  # built alone; like them, but for sizes, are others
COPIES = [path for path in ALL if 'encrypted' in path]  # see tests/mm/handover/test_training_from_copy.py
DETECTION = [path for path in ALL if 'yolos' in path and '-rs-' not in path and path not in COPIES]
SHUFFLED = [path for path in ALL if 'patch-detector' in path or ('yolos' in path and '-rs-' in path)]
CONFIGS = [path for path in ALL if path not in DETECTION + SHUFFLED + COPIES + LARGE]


@functools.cache
def read(path):
    """The config in a file."""
    return Config.fromfile(ROOT / path)


def load(path):
    """A copy of a config, whose scope is now the default one."""
    cfg = copy.deepcopy(read(path))
    init_default_scope(cfg.default_scope)
    return cfg


def write_classes(root, names, shape):
    """Write a picture of noise for each class and split."""
    rng = np.random.default_rng(0)
    for split in ('train', 'val'):
        for name in names:
            folder = root / split / name
            folder.mkdir(parents=True)
            cv2.imwrite(str(folder / 'a.png'), rng.integers(0, 256, (*shape, 3)).astype(np.uint8))
    return root


@pytest.fixture(scope='module')
def imagenet(tmp_path_factory):
    """Two classes of one small picture each, in ImageNet's layout."""
    return write_classes(tmp_path_factory.mktemp('imagenet'), ('n01440764', 'n01443537'), (240, 300))


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    """Two classes of one picture each, of FashionScene's size."""
    return write_classes(tmp_path_factory.mktemp('scenes'), ('bag', 'coat'), (128, 128))


def dataset(cfg, root):
    """The data set of a loader's config, from other files."""
    folder = cfg['data_root'].rpartition('/')[2]
    cfg = dict(cfg, data_root=str(root))
    if cfg['type'] == 'CustomDataset':
        cfg.update(data_root=str(root / folder))
    elif cfg['type'] == 'ImageNet':
        cfg.update(type='CustomDataset', data_prefix=cfg.pop('split'), data_root=str(root))
    else:
        cfg.update(type='MNIST', indices=4)
    return DATASETS.build(cfg)


def built(cfg):
    """The model of a config, with its start weights; of large sizes all but two of the 12 layers are then left out.

    A step of a whole one takes ten seconds and shows nothing more: the layers are alike.
    """
    model = MODELS.build(cfg)
    model.init_weights()
    name = 'layers' if hasattr(model.backbone, 'layers') else 'blocks'
    layers = getattr(model.backbone, name)
    if model.backbone.embed_dims >= 384:
        assert len(layers) == 12
        setattr(model.backbone, name, layers[:2])
        model.backbone.out_indices = [1]
    return model


@pytest.mark.parametrize('path', CONFIGS)
def test_a_training_step(path, imagenet, scenes, digits_root):
    cfg = load(path)
    roots = {'ImageNet': imagenet, 'CustomDataset': scenes}
    root = roots.get(cfg.train_dataloader.dataset.type, digits_root)
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)  # as mmengine's runner does
    model = built(cfg.model)
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    train = dataset(cfg.train_dataloader.dataset, root)
    for _ in range(2):
        losses = model.train_step(default_collate([train[0], train[1]]), optim)
        assert torch.isfinite(losses['loss'])
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        data = dataset(loader.dataset, root)
        results = model.test_step(default_collate([data[0], data[1]]))
        assert results[0].pred_score.shape == (cfg.model.head.get('num_classes', 1000),)


def shrunk(entry):
    """A pipeline's config with every size a tiny one."""
    if isinstance(entry, (list, tuple)):
        return [shrunk(part) for part in entry]
    if not isinstance(entry, dict):
        return entry
    tiny = dict(scales=[(96, 64), (128, 96)], scale=(96, 64), crop_size=(40, 56))
    return {key: tiny[key] if key in tiny else shrunk(value) for key, value in entry.items()}


def coco_dataset(cfg, root):
    """The data set of a detection loader's config, from other files and with tiny sizes."""
    cfg = dict(cfg, data_root=str(root), ann_file='a.json', data_prefix=dict(img=''), metainfo=PERSON_AND_DOG)
    return DETECTION_DATASETS.build(dict(cfg, pipeline=shrunk(cfg['pipeline'])))


PERSON_AND_DOG = dict(classes=('person', 'dog'))


@pytest.mark.parametrize('path', DETECTION)
def test_a_training_step_of_a_detector(path, coco):
    cfg = load(path)
    model = built(cfg.model)
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    train = coco_dataset(cfg.train_dataloader.dataset, coco)
    losses = model.train_step(pseudo_collate([train[0], train[1]]), optim)
    parts = {'loss_cls', 'loss_bbox', 'loss_iou'}
    of_patches = {f'patch.{name}' for name in parts} if 'mini' in path else set()
    assert set(losses) == {'loss'} | parts | of_patches
    assert torch.isfinite(losses['loss'])
    test = coco_dataset(cfg.test_dataloader.dataset, coco)
    packed = test[0]
    result = model.test_step(pseudo_collate([packed]))[0]
    boxes = result.pred_instances.bboxes
    assert len(boxes) == model.backbone.num_det_tokens
    mixed = 2 if '-mi-' in path else 1
    assert result.scale_factor == pytest.approx((64 / 96 / mixed,) * 2)
    assert packed['inputs'].shape[1:] == (64 // mixed, 80 // mixed)
    assert result.gt_instances.bboxes[0].tolist() == [10, 8, 40, 68]  # in the original frame
    assert boxes[:, [0, 2]].max() <= 120 + 1e-3
    assert boxes[:, [1, 3]].max() <= 96 + 1e-3


@pytest.mark.parametrize('path', [path for path in SHUFFLED if path not in LARGE])
def test_a_training_step_of_a_detector_of_shuffled_pictures(path, coco):
    """And its metric, on what the test pipeline hands over."""
    cfg = load(path)
    cfg.model.bbox_head.num_classes = 2
    model = built(cfg.model)
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    train = coco_dataset(cfg.train_dataloader.dataset, coco)
    data = pseudo_collate([train[0]])
    assert {'gt_instance_ids'} <= set(data['data_samples'][0].metainfo_keys())
    losses = model.train_step(data, optim)
    assert all(torch.isfinite(value) and value > 0 for value in losses.values())
    test = coco_dataset(cfg.test_dataloader.dataset, coco)
    metric = METRICS.build(dict(cfg.val_evaluator, ann_file=str(coco / 'a.json')))
    metric.dataset_meta = PERSON_AND_DOG
    with torch.no_grad():
        found = model.test_step(pseudo_collate([test[0]]))
    metric.process({}, [sample.to_dict() for sample in found])
    assert 0 <= metric.evaluate(1)['coco/bbox_mAP'] <= 1


@pytest.mark.parametrize('size, epochs', [('tiny', 300), ('small', 150), ('base', 150)])
def test_the_recipe_of_peyolos(size, epochs):
    cfg = Config.fromfile(ROOT / f'configs/peyolos/peyolos-{size}-mi-p16_8xb1-{epochs}e_coco.py')
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model)
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    groups = {id(p): group for group in optim.optimizer.param_groups for p in group['params']}
    for name, parameter in model.named_parameters():
        group = groups[id(parameter)]
        assert group['lr'] == pytest.approx(1e-4 if 'patch_embed' in name else 1e-5), name
        tokens = ('cls_token', 'det_token', 'pos_embed')
        free = name.startswith('backbone') and ('bias' in name or 'norm' in name or name.endswith(tokens))
        assert group['weight_decay'] == (0 if free else 1e-4), name
    assert cfg.optim_wrapper.clip_grad.max_norm == 0.1
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size) == (epochs, 1)
    (cosine,) = cfg.param_scheduler
    assert (cosine.type, cosine.eta_min, cosine.T_max) == ('CosineAnnealingLR', 1e-7, epochs)
    plain, cropped = cfg.train_pipeline[3].transforms
    sides = [scale[0] for scale in plain[0].scales]
    assert (min(sides), max(sides)) == ((256, 608) if size == 'tiny' else (480, 800))
    assert [entry.type for entry in cropped] == ['RandomChoiceResize', 'RandomCrop', 'RandomChoiceResize']
    assert cfg.test_pipeline[1].scale == (1333, 512 if size == 'tiny' else 800)


@pytest.mark.parametrize('path', ALL)
def test_encryption_comes_last_everywhere_or_nowhere(path):
    cfg = load(path)
    encrypts = any(f'-{word}-' in path for word in ('rs', 'mi', 'v1')) and path not in COPIES
    for part in ('train', 'val', 'test'):
        built = Compose(cfg[f'{part}_dataloader'].dataset.pipeline)
        checked = check_pipeline(part, built, training=part == 'train')
        assert checked.problems == []
        assert len(checked.encrypting) == encrypts
        assert () not in checked.ends if encrypts else checked.ends == ((),)


@pytest.mark.parametrize('path', OF_PRESETS)
def test_a_preset_and_its_model_agree(path):
    """On the patch that is left of the plain one: a wrong size trains, on parts of patches or on several at once."""
    cfg = load(path)
    (name,) = (name for name in NAMED if f'-{name}-' in path)
    scheme = Scheme.preset(name)
    for part in ('train', 'val', 'test'):
        assert Scheme.from_config(cfg[f'{part}_dataloader'].dataset.pipeline).with_remainder('error') == scheme
    (side, _), shuffle = scheme.core_size, scheme.shuffle
    assert cfg.model.backbone.patch_size == side
    if 'img_size' in cfg.model.backbone:
        plain = 224 if 'in1k' in path else 128
        encrypted = scheme.plan((plain, plain), np.random.default_rng(0)).encrypted_shape
        assert encrypted == (cfg.model.backbone.img_size,) * 2
    if path in SHUFFLED:
        assert cfg.model.data_preprocessor.pad_size_divisor == side
        for metric in (cfg.val_evaluator, cfg.test_evaluator):
            assert ((metric.patch_size,) * 2, metric.gap) == (shuffle.patch_size, shuffle.gap)
    elif 'in1k' in path:
        assert cfg.model.train_cfg.augments[1].patch_size == side
    assert MODELS.build(cfg.model).backbone.input_patch_size == (side, side)


@pytest.mark.parametrize('size, dims', [('tiny', 192), ('small', 384), ('base', 768)])
def test_the_recipe_of_the_paper(size, dims):
    cfg = Config.fromfile(ROOT / f'configs/pevit/pevit-{size}-p16_8xb192-rs-300e_in1k.py')
    assert (cfg.model.backbone.arch, cfg.model.head.in_channels) == (f'deit-{size}', dims)
    assert cfg.train_dataloader.batch_size * 8 == cfg.auto_scale_lr.base_batch_size == 1536
    assert cfg.optim_wrapper.optimizer.lr == 5e-4 * 1536 / 512
    assert cfg.optim_wrapper.optimizer.weight_decay == 0.05
    assert cfg.optim_wrapper.clip_grad is None
    assert cfg.train_cfg.max_epochs == 300
    warm, cosine = cfg.param_scheduler
    assert warm.start_factor * cfg.optim_wrapper.optimizer.lr == pytest.approx(1e-6)
    assert (warm.end, cosine.begin, cosine.eta_min) == (5, 5, 1e-5)
    assert cfg.model.backbone.drop_path_rate == 0.1
    assert [augment.type for augment in cfg.model.train_cfg.augments] == ['Mixup', 'PatchCutMix']
    assert [augment.alpha for augment in cfg.model.train_cfg.augments] == [0.8, 1.0]
    assert cfg.model.head.loss.label_smooth_val == 0.1
    assert (cfg.custom_hooks[0].type, cfg.custom_hooks[0].momentum) == ('EMAHook', 4e-5)
    kinds = {entry.type: entry for entry in cfg.train_pipeline}
    assert (kinds['RandAugment'].magnitude_level, kinds['RandAugment'].magnitude_std) == (9, 0.5)
    assert kinds['RandomErasing'].erase_prob == 0.25
    assert cfg.train_dataloader.sampler == dict(type='RepeatAugSampler', num_repeats=3)
    init_default_scope('mmpretrain')
    assert DATA_SAMPLERS.build(dict(cfg.train_dataloader.sampler, dataset=range(10), _scope_='mmpretrain'))


def test_no_decay_for_bias_norm_and_class_token():
    cfg = Config.fromfile(ROOT / 'configs/pevit/pevit-tiny-p16_8xb192-rs-300e_in1k.py')
    init_default_scope('mmpretrain')
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    decay = {id(p): group['weight_decay'] for group in groups for p in group['params']}
    for name, parameter in model.named_parameters():
        free = name.endswith(('.bias', 'cls_token')) or '.ln' in name
        assert decay[id(parameter)] == (0 if free else 0.05), name


def test_the_two_mini_configs_differ_in_encryption_and_position_embedding_alone():
    ours = Config.fromfile(ROOT / 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py').to_dict()
    plain = Config.fromfile(ROOT / 'configs/vit/vit-mini-p4_1xb128-20e_fashion-mnist.py').to_dict()
    assert ours['model']['backbone'].pop('type') == 'PEViT'
    assert plain['model']['backbone'].pop('type') == 'VisionTransformer'
    shuffle = ours.pop('shuffle')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        ours[loader]['dataset']['pipeline'].remove(shuffle)
    assert ours == plain
