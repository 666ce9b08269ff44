"""What new users ran into without a word: each is now refused, with a message that says what to do."""

import copy
import json
import logging
from pathlib import Path
from types import SimpleNamespace

import mmdet
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import METRICS, init_default_scope
from mmengine.runner import Runner

import hii_mm
from helpers import ROOT
from helpers.checked import CONFIG, PACK, PLAIN, SHUFFLE, built_model, problems_of, read
from hii_mm import Scheme
from hii_mm.errors import CheckpointError, HiiError
from hii_mm.training import scheme_of_checkpoint
from hii_mm.training.checkpoints import SCHEME, read_checkpoint, scheme_of_meta, steps_as_config
from hii_mm.training.hooks import CheckEncryption
from hii_mm.training.schemes import label

RESNET = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, in_channels=1, base_channels=8),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=64),
)
LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
RS = dict(type='PatchShuffle', patch_size=16, remainder='pad')
SHUFFLED = [*LOAD, RS, PLAIN[1]]
COCO = dict(type='CocoMetric', ann_file='a.json', metric='bbox')
IN_FRAGMENTS = dict(type='VOCMetric')


def detr():
    """mmdet's DETR, small."""
    cfg = Config.fromfile(Path(mmdet.__file__).parent / '.mim/configs/detr/detr_r18_8xb2-500e_coco.py').model
    cfg.backbone.update(base_channels=8, init_cfg=None, out_indices=(3,))
    cfg.neck.in_channels = [64]
    for part in (cfg.encoder, cfg.decoder):
        part.num_layers = 1
    return cfg


def refusal(act):
    """The lines of the one message that an action ends with."""
    with pytest.raises(HiiError) as error:
        act()
    return problems_of(error)


def heard(act, capfd):
    """What an action logs as warnings."""
    MMLogger.get_instance('mismatch', logger_name='mismatch', log_level=logging.WARNING)
    capfd.readouterr()
    act()
    return ''.join(capfd.readouterr())


# --- a model that depends on the order of patches


def test_a_resnet_behind_a_shuffle(check):
    (line,) = refusal(lambda: check(model=RESNET))
    assert 'train_dataloader.dataset.pipeline, val_dataloader.dataset.pipeline, test_dataloader' in line
    assert 'PatchShuffle puts the patches of 4 x 4 in a random order, but ImageClassifier with ResNet depends' in line
    assert 'another order changes its output by' in line
    assert "Use type='PEViT'" in line


def test_a_plain_vit_behind_a_shuffle(check, capfd):
    (line,) = refusal(lambda: check(type='VisionTransformer'))
    assert 'ImageClassifier with VisionTransformer depends on it' in line
    said = heard(lambda: check(type='VisionTransformer', strict=False), capfd)
    assert 'ImageClassifier with VisionTransformer depends on it' in said
    assert 'depends on' not in heard(check, capfd)


def test_a_detr_behind_a_shuffle(detection):
    init_default_scope('mmdet')
    (line,) = refusal(lambda: detection('yolos', SHUFFLED, SHUFFLED, model=detr(), evaluator=IN_FRAGMENTS))
    assert 'DETR with ResNet depends on it' in line
    assert "Use PatchMixup in place of PatchShuffle: it leaves patches in order, and type='PEYOLOS' reads" in line
    mixed = [*LOAD, dict(type='PatchMixup', remainder='pad'), PLAIN[1]]
    detection('yolos', mixed, mixed, model=detr())


def test_within_windows_it_is_a_warning(check, capfd):
    steps = [dict(SHUFFLE, window=7), PACK]
    said = heard(lambda: check(steps, type='VisionTransformer'), capfd)
    assert 'in a random order within windows of 7 x 7, but ImageClassifier with VisionTransformer depends on it' in said


# --- loaders that differ


def test_a_config_that_shuffles_only_in_validation(check):
    lines = refusal(lambda: check([PACK], val_pipeline=[SHUFFLE, PACK], test_pipeline=[PACK]))
    assert lines == [
        '- val_dataloader: the pictures are RS p 4, gap 0, but the model is trained on plain (train_dataloader); '
        'encrypt alike in all pipelines, or read copies of one scheme'
    ]


@pytest.mark.parametrize(
    'train, val, message',
    [
        ([SHUFFLE], [], 'the pictures are plain, but the model is trained on RS p 4, gap 0'),
        ([SHUFFLE], [dict(SHUFFLE, window=7)], 'the pictures are RS p 4, gap 0, window 7, but'),
        ([SHUFFLE], [dict(type='PatchShuffle', patch_size=6, gap=1)], 'the pictures are RS p 6, gap 1, but'),
        ([SHUFFLE], [SHUFFLE, SHUFFLE], 'the pictures are RS p 4, gap 0 then RS p 4, gap 0, but'),
        (
            [dict(type='PatchMixup', patch_size=8), SHUFFLE],
            [SHUFFLE],
            'the model is trained on RS on MI p 8, grid 2',
        ),
    ],
)
def test_loaders_of_other_schemes(check, train, val, message):
    remainder = dict(remainder='crop')
    train, val = ([dict(step, **remainder) for step in steps] for steps in (train, val))
    lines = refusal(lambda: check([*train, PACK], val_pipeline=[*val, PACK], test_pipeline=[*train, PACK]))
    assert message in [line for line in lines if line.startswith('- val_dataloader: ')][0]
    assert not [line for line in lines if line.startswith('- test_dataloader: ')]


def test_a_remainder_and_a_part_of_the_training_may_differ(check):
    check([dict(SHUFFLE, remainder='crop'), PACK], val_pipeline=[dict(SHUFFLE, remainder='pad'), PACK])
    both = dict(type='RandomApply', transforms=[SHUFFLE], prob=0.5)
    check([both, PACK], val_pipeline=[PACK], test_pipeline=[SHUFFLE, PACK])
    assert refusal(lambda: check([SHUFFLE, PACK], val_pipeline=[both, PACK], test_pipeline=[SHUFFLE, PACK]))


def test_everything_is_said_at_once(check, capfd):
    train, test = [SHUFFLE, dict(type='RandomFlip', prob=0.5), PACK], [SHUFFLE, PACK]
    wrong = dict(train_pipeline=train, val_pipeline=[PACK], test_pipeline=test, model=RESNET)
    lines = refusal(lambda: check(**wrong))
    assert len(lines) == 3
    assert ['RandomFlip' in lines[0], 'ResNet depends on' in lines[1], 'are plain' in lines[2]] == [True] * 3
    said = heard(lambda: check(**wrong, strict=False), capfd)
    assert all(text in said for text in ('RandomFlip comes after', 'with ResNet depends on', lines[2][2:]))


def test_label():
    assert label([(), Scheme(16, strategy='both').steps]) == 'RS on MI p 16, grid 2, gap 0 or plain'


# --- evaluation


class Joined(METRICS.get('mmdet.CocoMetric')):
    """A metric that puts fragments back."""

    reads_shuffled = True


def test_coco_evaluation_of_shuffled_pictures(detection):
    where = 'PatchShuffle in val_dataloader moves the pixels'
    lines = refusal(lambda: detection('yolos', SHUFFLED, SHUFFLED, evaluator=COCO))
    assert f'- val_evaluator: CocoMetric reads the boxes of the plain pictures, but {where}' in lines[1]
    assert [line.split(':')[0] for line in lines[1:]] == ['- val_evaluator', '- test_evaluator']
    assert any('val_evaluator[1]: LVISMetric' in line for line in refusal(
        lambda: detection('yolos', SHUFFLED, SHUFFLED, evaluator=[IN_FRAGMENTS, dict(COCO, type='mmdet.LVISMetric')])
    ))  # fmt: skip
    keep = [*LOAD, dict(RS, bbox_mode='keep'), PLAIN[1]]
    for evaluator, pipeline in ((COCO, keep), (dict(COCO, type=Joined), SHUFFLED), (IN_FRAGMENTS, SHUFFLED)):
        assert len(refusal(lambda: detection('yolos', pipeline, pipeline, evaluator=evaluator))) == 1  # noqa: B023
    detection('peyolos', evaluator=COCO)


@pytest.fixture(scope='module')
def copies(tmp_path_factory, coco):
    """Encrypted copies of two pictures with boxes: shuffled, and mixed."""
    root = tmp_path_factory.mktemp('copies')
    hii_mm.write_new_key(root / 'key')
    for name, scheme in (('rs', Scheme(8)), ('mi', Scheme(8, strategy='mixup'))):
        hii_mm.encrypt(coco, root / name, key=root / 'key', scheme=scheme, annotations=[coco / 'a.json'])
    return root


def seen(copies, coco, train, val, truth):
    """Let the hook look at YOLOS-mini on copies, given by name."""
    cfg = read('configs/yolos/yolos-mini_1xb32-50e_fashion-det.py')
    init_default_scope('mmdet')
    for part, name in (('train', train), ('val', val)):
        root = str(coco if name == 'plain' else copies / name)
        cfg[f'{part}_dataloader'].dataset.update(data_root=root, ann_file='a.json', pipeline=list(PLAIN))
    cfg.test_dataloader = cfg.val_dataloader
    cfg.val_evaluator = cfg.test_evaluator = dict(COCO, ann_file=str(truth))
    loops = dict(_train_loop=None, _val_loop=None, _test_loop=None)
    model = built_model('configs/yolos/yolos-mini_1xb32-50e_fashion-det.py', (('model.backbone.patch_size', 8),))
    runner = SimpleNamespace(cfg=cfg, model=model, hooks=[], **loops)
    return refusal(lambda: CheckEncryption().before_run(runner))


def test_copies_of_other_schemes_and_annotations_outside_of_the_copy(copies, coco):
    lines = seen(copies, coco, 'rs', 'rs', coco / 'a.json')
    assert 'train_dataloader.dataset, val_dataloader.dataset, test_dataloader.dataset: PatchShuffle puts' in lines[0]
    assert [line.split(': ')[0] for line in lines[1:]] == ['- val_evaluator', '- test_evaluator']
    assert f"CocoMetric reads '{coco}/a.json', but val_dataloader reads the shuffled copy '{copies}/rs'" in lines[1]
    inside = copies / 'rs' / 'annotations' / 'a.json'
    assert inside.exists()
    assert len(seen(copies, coco, 'rs', 'rs', inside)) == 1
    for train, val, message in (
        ('rs', 'mi', 'the pictures are MI p 8, grid 2, but the model is trained on RS p 8, gap 0'),
        ('rs', 'plain', 'the pictures are plain, but the model is trained on RS p 8, gap 0'),
        ('plain', 'rs', 'the pictures are RS p 8, gap 0, but the model is trained on plain'),
    ):
        assert any(f'- val_dataloader: {message}' in line for line in seen(copies, coco, train, val, inside))


# --- checkpoints


@pytest.fixture(scope='module')
def trained(tmp_path_factory, digits_root):
    """Configs of one step of training: PEViT-mini on shuffled digits, and its checkpoint."""
    work = tmp_path_factory.mktemp('work')
    cfg = read(CONFIG)
    data = dict(data_root=str(digits_root), indices=8)
    loader = dict(num_workers=0, persistent_workers=False, dataset=data, batch_size=8)
    loaders = {f'{part}_dataloader': copy.deepcopy(loader) for part in ('train', 'val', 'test')}
    hooks = [dict(type='CheckEncryption')]
    cfg.merge_from_dict(dict(work_dir=str(work), custom_hooks=hooks, **loaders))
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.interval = 1
    runner = Runner.from_cfg(copy.deepcopy(cfg))
    runner.train()
    assert len(runner.model.backbone._load_state_dict_pre_hooks) == 1  # mmpretrain's own
    return cfg, work / 'epoch_1.pth'


def changed(cfg, work, **options):
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict(dict(work_dir=str(work), experiment_name=work.name, **options))
    return Runner.from_cfg(cfg)


def piped(*encrypting):
    return {f'{part}_dataloader.dataset.pipeline': [*encrypting, PACK] for part in ('train', 'val', 'test')}


def test_the_scheme_is_saved_without_seed_or_key(trained):
    meta = read_checkpoint(trained[1])['meta']
    values = dict(patch_size=[4, 4], gap=0, drop_ratio=0.0, orient=False, window=None, remainder='error')
    assert meta[SCHEME] == [dict(type='PatchShuffle', **values)]
    assert scheme_of_checkpoint(trained[1]) == Scheme(4)


@pytest.mark.parametrize(
    'scheme',
    [
        None,
        Scheme(4),
        Scheme((4, 8), gap=1, orient=True, window=3, drop_ratio=0.5, remainder='pad', tone=True, noise=5),
        Scheme(16, strategy='mixup', grid=4, remainder='crop'),
        Scheme(16, strategy='both', gap=1),
    ],
)
def test_a_scheme_comes_back_from_the_meta(scheme):
    steps = json.loads(json.dumps(steps_as_config(scheme)))
    assert scheme_of_meta({SCHEME: steps}) == scheme
    assert scheme_of_meta({}) is None


def test_schemes_that_cannot_be_read():
    for steps in (['x'], [dict(type='PatchShuffle')], [dict(type='Flip', patch_size=[4, 4])], 3):
        with pytest.raises(CheckpointError, match='the scheme in the checkpoint cannot be read'):
            scheme_of_meta({SCHEME: steps})


def test_a_checkpoint_of_another_scheme(trained, tmp_path):
    cfg, path = trained
    window = piped(dict(SHUFFLE, window=7))
    for start in (dict(load_from=str(path)), dict(load_from=str(path), resume=True)):
        lines = refusal(changed(cfg, tmp_path, **start, **window).train)
        assert lines == [
            f'- {path}: the checkpoint was trained on pictures that are RS p 4, gap 0, but those of {part}_dataloader '
            'are RS p 4, gap 0, window 7'
            for part in ('train', 'val')
        ]
    (line,) = refusal(changed(cfg, tmp_path, load_from=str(path), **window).test)
    assert 'but those of test_dataloader are RS p 4, gap 0, window 7' in line
    changed(cfg, tmp_path, load_from=str(path)).test()
    loose = [dict(type='CheckEncryption', strict=False)]
    changed(cfg, tmp_path, load_from=str(path), custom_hooks=loose, **window).test()


def test_weights_of_a_model_with_positions_in_one_without(trained, tmp_path):
    cfg, path = trained
    vit = {'model.backbone.type': 'VisionTransformer'}
    lines = refusal(changed(cfg, tmp_path, load_from=str(path), **vit, **piped()).train)
    assert 'VisionTransformer adds a position embedding (backbone.pos_embed), but the checkpoint has none' in lines[0]
    state = read_checkpoint(path)['state_dict']
    state['backbone.pos_embed'] = torch.zeros(1, 50, state['backbone.cls_token'].shape[-1])
    torch.save(dict(state_dict=state), tmp_path / 'vit.pth')
    start = dict(load_from=str(tmp_path / 'vit.pth'))
    for act in ('train', 'test'):
        (line,) = refusal(getattr(changed(cfg, tmp_path, **start), act))
        assert 'the checkpoint holds a position embedding (backbone.pos_embed), but PEViT has none' in line
        assert 'python tools/model_converters/to_hii.py SRC DST --model pevit' in line


def test_weights_that_the_config_starts_from(trained, tmp_path):
    """``init_cfg`` loads them when the run has started already."""
    cfg, path = trained
    state = read_checkpoint(path)['state_dict']
    state['backbone.pos_embed'] = torch.zeros(1, 50, state['backbone.cls_token'].shape[-1])
    torch.save(dict(state_dict=state), tmp_path / 'vit.pth')
    start = dict(type='Pretrained', prefix='backbone.', checkpoint=str(tmp_path / 'vit.pth'))
    (line,) = refusal(changed(cfg, tmp_path, **{'model.backbone.init_cfg': start}).train)
    assert 'the checkpoint holds a position embedding (pos_embed), but PEViT has none' in line


def test_files_that_are_no_checkpoints(tmp_path):
    with pytest.raises(CheckpointError, match='checkpoint not found'):
        scheme_of_checkpoint(tmp_path / 'none.pth')
    (tmp_path / 'text.pth').write_text('hello')
    with pytest.raises(CheckpointError, match='is not a checkpoint of weights and plain values'):
        scheme_of_checkpoint(tmp_path / 'text.pth')
    torch.save(dict(a=1), tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match='it has no state_dict'):
        scheme_of_checkpoint(tmp_path / 'other.pth')
    torch.save(dict(state_dict={}, a=Scheme(4)), tmp_path / 'code.pth')
    with pytest.raises(CheckpointError, match='weights and plain values'):
        scheme_of_checkpoint(tmp_path / 'code.pth')


def test_a_checkpoint_of_an_older_run_says_nothing(trained, tmp_path):
    cfg, path = trained
    found = read_checkpoint(path)
    del found['meta'][SCHEME]
    torch.save(found, tmp_path / 'old.pth')
    assert scheme_of_checkpoint(tmp_path / 'old.pth') is None
    changed(cfg, tmp_path, load_from=str(tmp_path / 'old.pth')).test()


def test_two_hooks_are_not_one_too_many(tmp_path):
    from hii_mm.training.config import run_config

    for given, expected in (([], True), ([dict(type='CheckEncryption', strict=False)], False)):
        cfg = tmp_path / f'config{len(given)}.py'
        cfg.write_text(f"_base_ = '{ROOT / CONFIG}'\ncustom_hooks = {given!r}\n")
        (hook,) = run_config(str(cfg), loaders=[], work_dir=str(tmp_path)).custom_hooks
        assert hook.get('strict', True) is expected
