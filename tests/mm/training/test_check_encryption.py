"""CheckEncryption on real loaders, data sets and models, and in runs of mmengine's Runner and tools/train.py."""

import functools
import logging
from types import SimpleNamespace

import numpy as np
import pytest
from mmcv.transforms import BaseTransform, RandomFlip, Resize
from mmdet.datasets.transforms import PackDetInputs
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, TRANSFORMS
from mmengine.runner import Runner
from mmpretrain.datasets.transforms import PackInputs

from helpers import ROOT
from helpers.checked import CONFIG, PACK, PLAIN, SHUFFLE, Loop, built_model, problems_of, read
from hii_mm.errors import InvalidValueError
from hii_mm.models.reading import Reading, reading
from hii_mm.training.hooks import CheckEncryption
from hii_mm.training.pipelines import check_pipeline
from hii_mm.transforms import PatchMixup, PatchShuffle

# --- the order of a pipeline


class Halve(BaseTransform):
    """A stranger's transform that changes the size."""

    def transform(self, results):
        results['img'] = results['img'][::2, ::2].copy()
        return results


class MyFlip(RandomFlip):
    """A subclass of a host's transform."""


class MyPack(PackInputs):
    """A subclass of an accepted transform that moves pixels first."""

    def transform(self, results):
        results['img'] = results['img'][:, ::-1].copy()
        return super().transform(results)


class Holder(BaseTransform):
    """Holds a transform in an attribute, and flips after it."""

    def __init__(self, inside):
        self.inside = inside

    def transform(self, results):
        results = self.inside(results)
        results['img'] = results['img'][:, ::-1].copy()
        return results


def mirror(results):
    results['img'] = results['img'][:, ::-1].copy()
    return results


def flipping(transform):
    def flipped(results):
        return mirror(transform(results))

    return flipped


LATE = {
    'flip': (dict(type='RandomFlip', prob=1.0), 'RandomFlip'),
    'flip of probability 0': (dict(type='RandomFlip', prob=0.0), 'RandomFlip'),
    'resize': (dict(type='Resize', scale=(14, 14)), 'Resize'),
    'crop': (dict(type='CenterCrop', crop_size=14), 'CenterCrop'),
    'pad': (dict(type='Pad', size=(32, 32)), 'Pad'),
    'rotation': (dict(type='Rotate', angle=30.0, prob=1.0), 'Rotate'),
    'erasing': (dict(type='RandomErasing', erase_prob=1.0), 'RandomErasing'),
    'blur': (dict(type='GaussianBlur', radius=2.0), 'GaussianBlur'),
    'albumentations under another name': (dict(type='mmdet.CutOut', n_holes=1, cutout_shape=(4, 4)), 'CutOut'),
    'torchvision': (dict(type='torchvision/RandomVerticalFlip'), 'TorchVisonTransformWrapper'),
    'a custom transform': (Halve(), 'Halve'),
    'a subclass': (MyFlip(prob=1.0), 'MyFlip'),
    'a subclass of Pack': (MyPack(), 'MyPack'),
    'a function': (mirror, 'mirror'),
    'a lambda': (lambda results: mirror(results), '<lambda>'),
    'a partial': (functools.partial(mirror), 'partial(mirror)'),
    'a method': (Halve().transform, 'Halve.transform'),
    'auto augment': (dict(type='AutoAugment', policies=[[dict(type='Rotate', angle=30.0)]]), 'Rotate'),
    'rand augment': (
        dict(type='RandAugment', policies=[dict(type='Invert')], num_policies=1, magnitude_level=5),
        'Invert',
    ),
    'random choice': (dict(type='RandomChoice', transforms=[[dict(type='RandomFlip', prob=1.0)], []]), 'RandomFlip'),
    'random apply': (dict(type='RandomApply', transforms=[dict(type='Resize', scale=14)]), 'Resize'),
    'random order': (dict(type='mmdet.RandomOrder', transforms=[dict(type='RandomFlip', prob=1.0)]), 'RandomFlip'),
    'a key mapper': (dict(type='KeyMapper', mapping=dict(img='img'), transforms=[mirror]), 'mirror'),
    'a broadcaster': (
        dict(type='TransformBroadcaster', mapping=dict(img=['img']), auto_remap=True, transforms=[mirror]),
        'mirror',
    ),
    'branches': (dict(type='mmdet.MultiBranch', branch_field=['a'], a=[mirror, PACK]), 'mirror'),
    'views': (dict(type='MultiView', num_views=1, transforms=[[mirror]]), 'mirror'),
    'test-time augmentation': (
        dict(type='TestTimeAug', transforms=[[dict(type='RandomFlip', prob=1.0)]]),
        'RandomFlip',
    ),
    'a Compose in a Compose': (dict(type='Compose', transforms=[dict(type='Compose', transforms=[mirror])]), 'mirror'),
}  # fmt: skip


@pytest.mark.parametrize('case', LATE)
def test_a_transform_after_encryption_is_named(check, case):
    late, name = LATE[case]
    with pytest.raises(InvalidValueError) as error:
        check([SHUFFLE, late, PACK])
    (line,) = problems_of(error)
    assert line.startswith(f'- train_dataloader.dataset.pipeline: {name} comes after PatchShuffle and may move pixels')


def test_the_old_check_let_these_pass_that_change_pixels(photo):
    """The cases above are real: each of them moves pixels of an encrypted image."""
    encrypted = PatchShuffle(16)(dict(img=photo[:64, :64].copy()))['img']
    for late in (Halve(), MyFlip(prob=1.0), mirror, flipping(lambda results: results), Holder(lambda results: results)):
        moved = late(dict(img=encrypted.copy(), img_shape=(64, 64)))['img']
        assert moved.shape != encrypted.shape or (moved != encrypted).any()


@pytest.mark.parametrize(
    'hidden, name',
    [
        (Holder(PatchShuffle(4)), 'Holder'),
        (Holder([dict(a=PatchShuffle(4))]), 'Holder'),
        (Holder(Holder(PatchShuffle(4))), 'Holder'),
        (flipping(PatchShuffle(4)), 'flipped'),
        (functools.partial(mirror, PatchShuffle(4)), 'partial(mirror)'),
        (PatchShuffle(4).transform, 'PatchShuffle.transform'),
    ],
)
def test_encryption_inside_of_an_unknown_transform_is_refused(check, hidden, name):
    with pytest.raises(InvalidValueError) as error:
        check([hidden, dict(type='RandomFlip', prob=0.5), PACK])
    lines = problems_of(error)
    assert f'{name} holds PatchShuffle, and what it does to the pixels afterwards is unknown' in lines[0]
    assert 'RandomFlip comes after PatchShuffle' in lines[1]


def test_encryption_inside_of_known_wrappers_is_seen(check):
    flip = dict(type='RandomFlip', prob=0.5)
    for wrapper in (
        dict(type='RandomApply', transforms=[SHUFFLE]),
        dict(type='RandomChoice', transforms=[[flip], [flip, SHUFFLE]]),
        dict(type='Compose', transforms=[flip, SHUFFLE]),
    ):
        check([wrapper, PACK])
        with pytest.raises(InvalidValueError, match='RandomFlip comes after PatchShuffle'):
            check([wrapper, flip, PACK])
    with pytest.raises(InvalidValueError, match='RandomFlip comes after PatchShuffle'):
        check([dict(type='mmdet.RandomOrder', transforms=[flip, SHUFFLE]), PACK])


class MyShuffle(PatchShuffle):
    """A subclass of ours."""


def test_what_may_follow(check):
    check()
    check([dict(type='PatchShuffle', patch_size=6, gap=1), PACK])
    twice = dict(type='PatchShuffle', patch_size=4)
    normalize = dict(type='Normalize', mean=[0], std=[1])
    jitter = dict(type='RandomApply', transforms=[dict(type='ColorJitter', brightness=0.5)])
    check([dict(type='PatchShuffle', patch_size=14, gap=5), MyShuffle(4), twice, normalize, jitter, PACK])
    check([dict(type='RandomFlip', prob=0.5), mirror, Holder(mirror), SHUFFLE, PACK])
    check([SHUFFLE, dict(type='mmdet.MultiBranch', branch_field=['a'], a=[PACK])])


def test_mixing_then_shuffling():
    steps = [PatchMixup(16), PatchShuffle(8), PackDetInputs()]
    assert check_pipeline('', steps, True).problems == []
    assert check_pipeline('', steps, True).encrypting == steps[1:2]
    late = check_pipeline('', [steps[0], Resize(scale=(8, 8)), steps[1]], True)
    assert late.problems[0].startswith('Resize comes after PatchMixup')


def test_annotations_loaded_after_encryption_are_for_evaluation(detection):
    """Predictions are scaled back to the plain image; there the boxes of an evaluation belong, but not of training."""
    load, annotate, pack = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), PLAIN[1]
    mix = dict(type='PatchMixup', patch_size=16, remainder='pad')
    detection('peyolos', train=[load, annotate, mix, pack], val=[load, mix, annotate, pack])
    with pytest.raises(InvalidValueError) as error:
        detection('peyolos', train=[load, mix, annotate, pack])
    (line,) = problems_of(error)
    assert 'train_dataloader.dataset.pipeline: LoadAnnotations comes after PatchMixup and would load boxes' in line


def test_boxes_may_be_filtered_after_encryption(detection):
    steps = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
    mix = dict(type='PatchMixup', patch_size=16, remainder='pad')
    detection('peyolos', train=[*steps, mix, dict(type='FilterAnnotations', min_gt_bbox_wh=(2, 2)), PLAIN[1]])


# --- where pipelines stand

MIX = dict(type='PatchMixup', patch_size=16, remainder='pad')
MIXED = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), MIX]
FLIP = dict(type='RandomFlip', prob=0.5)


@pytest.mark.parametrize(
    'wrapper, place',
    [
        (dict(type='RepeatDataset', times=2), 'train_dataloader.dataset.dataset.pipeline'),
        (dict(type='ClassBalancedDataset', oversample_thr=0.1), 'train_dataloader.dataset.dataset.pipeline'),
        (dict(type='ConcatDataset'), 'train_dataloader.dataset.datasets[0].pipeline'),
    ],
)
def test_wrapped_data_sets(detection, wrapper, place):
    detection('peyolos', train=dict(wrapper, inside=[*MIXED, PLAIN[1]]))
    with pytest.raises(InvalidValueError, match='RandomFlip comes after PatchMixup') as error:
        detection('peyolos', train=dict(wrapper, inside=[*MIXED, FLIP, PLAIN[1]]))
    assert place in str(error.value)


def test_the_pipeline_of_a_wrapper_follows_that_of_its_data_set(detection):
    wrapper = dict(type='MultiImageMixDataset', inside=MIXED)
    detection('peyolos', train=dict(wrapper, pipeline=[PLAIN[1]]))
    for late in (FLIP, dict(type='Mosaic', img_scale=(64, 64)), dict(type='MixUp', img_scale=(64, 64))):
        with pytest.raises(InvalidValueError) as error:
            detection('peyolos', train=dict(wrapper, pipeline=[late, PLAIN[1]]))
        (line,) = problems_of(error)
        assert line.startswith(f'- train_dataloader.dataset.pipeline: {late["type"]} comes after PatchMixup')


def test_a_pipeline_that_is_switched_to_later(detection):
    switch = dict(type='PipelineSwitchHook', switch_epoch=3)
    detection('peyolos', hooks=[dict(switch, switch_pipeline=[*MIXED, PLAIN[1]])])
    with pytest.raises(InvalidValueError) as error:
        detection('peyolos', hooks=[dict(switch, switch_pipeline=[*MIXED, FLIP, PLAIN[1]])])
    (line,) = problems_of(error)
    assert line.startswith('- PipelineSwitchHook.switch_pipeline: RandomFlip comes after PatchMixup')


def test_a_recipe_that_is_switched_to_later(check):
    recipe = dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=5, train_pipeline=[SHUFFLE, mirror, PACK])])
    with pytest.raises(InvalidValueError) as error:
        check(hooks=[recipe])
    (line,) = problems_of(error)
    assert line.startswith('- SwitchRecipeHook.schedule.5.train_pipeline: mirror comes after PatchShuffle')


def test_the_test_data_is_checked_before_training(check):
    """Its loader is not built yet: the pipeline is built from the config."""
    with pytest.raises(InvalidValueError) as error:
        check(test_pipeline=[SHUFFLE, dict(type='ResizeEdge', scale=14), PACK])
    (line,) = problems_of(error)
    assert line.startswith('- test_dataloader.dataset.pipeline: ResizeEdge comes after PatchShuffle')


def test_a_test_pipeline_that_cannot_be_built_stops_no_training(check, capfd):
    said = heard('unbuilt', lambda: check(test_pipeline=[SHUFFLE, dict(type='NoSuchTransform'), PACK]), capfd)
    assert 'test_dataloader.dataset.pipeline is not checked, as it cannot be built: ' in said


def test_every_problem_is_listed(check):
    wrong = dict(type='PatchShuffle', patch_size=7)
    with pytest.raises(InvalidValueError) as error:
        check([wrong, dict(type='RandomFlip', prob=0.5), mirror, PACK], test_pipeline=[wrong, PACK])
    lines = problems_of(error)
    parts, named = zip(*((line.split('_')[0], line.split(': ')[1].split()[0]) for line in lines))
    assert parts == ('- train', '- train', '- train', '- val', '- test')
    assert named == ('RandomFlip', 'mirror', 'PatchShuffle', 'PatchShuffle', 'PatchShuffle')


def test_a_runner_refuses_before_it_trains(tmp_path, digits_root):
    TRANSFORMS.register_module(module=Halve, force=True)
    cfg = read(CONFIG)
    data = dict(data_root=str(digits_root), indices=64)
    cfg.merge_from_dict(
        dict(
            work_dir=str(tmp_path),
            custom_hooks=[dict(type='CheckEncryption')],
            train_dataloader=dict(num_workers=0, persistent_workers=False, dataset=data),
            val_dataloader=dict(num_workers=0, dataset=dict(data, pipeline=[SHUFFLE, dict(type='Halve'), PACK])),
        )
    )
    with pytest.raises(InvalidValueError, match='val_dataloader.dataset.pipeline: Halve comes after PatchShuffle'):
        Runner.from_cfg(cfg).train()
    assert not list(tmp_path.rglob('*.pth'))


def test_tools_train_answers_without_a_traceback(call, tmp_path, digits_root):
    late = [SHUFFLE, dict(type='RandomFlip', prob=0.0), PACK]
    config = tmp_path / 'config.py'
    data = dict(data_root=str(digits_root), indices=64)
    config.write_text(
        f"_base_ = '{ROOT / CONFIG}'\n"
        f'train_dataloader = dict(dataset={data!r})\n'
        f'val_dataloader = dict(dataset=dict(pipeline={late!r}, **{data!r}))\n'
    )
    done = call('tools/train.py', config, '--work-dir', tmp_path / 'work', code=2)
    assert 'train: the parts of this run do not fit together:' in done.stderr
    assert 'val_dataloader.dataset.pipeline: RandomFlip comes after PatchShuffle' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not list((tmp_path / 'work').glob('*.pth'))


# --- the model


@pytest.mark.parametrize(
    'shuffle, left',
    [
        (dict(patch_size=7), '(RS p 7, gap 0) leaves patches of 7 x 7'),
        (dict(patch_size=7, gap=1), '(RS p 7, gap 1) leaves patches of 5 x 5'),
        (dict(patch_size=(4, 14)), 'leaves patches of 4 x 14'),
    ],
)
@pytest.mark.parametrize('backbone', ['PEViT', 'VisionTransformer'])
def test_a_model_with_other_patches_is_refused(check, shuffle, left, backbone):
    with pytest.raises(InvalidValueError) as error:
        check([dict(type='hii_mm.PatchShuffle', **shuffle), PACK], type=backbone)
    assert f'{left} (h x w), but the backbone reads patches of 4 x 4; set its patch_size to' in str(error.value)


def test_patches_of_detectors_are_compared(detection):
    detection('peyolos')
    with pytest.raises(InvalidValueError, match='leaves patches of 8 x 8 .* reads patches of 4 x 4'):
        detection('peyolos', patch_size=8)
    with pytest.raises(InvalidValueError, match='mix_inside=True would mix them again'):
        detection('peyolos', **{'patch_embed.mix_inside': True})


@pytest.mark.parametrize(
    'backbone, expected',
    [
        (dict(type='PEViT', patch_size=8), Reading('PEViT', (8, 8))),
        (dict(type='mmpretrain.VisionTransformer', patch_size=8), Reading('VisionTransformer', (8, 8))),
        (
            dict(type='mmpretrain.BEiTViT', patch_size=16, use_abs_pos_emb=False, use_rel_pos_bias=True),
            Reading('BEiTViT', (16, 16)),
        ),
        (dict(type='mmpretrain.SwinTransformer'), Reading('SwinTransformer', (4, 4))),
        (dict(type='mmdet.SwinTransformer'), Reading('SwinTransformer', (4, 4))),
        (dict(type='YOLOSBackbone', arch='tiny'), Reading('YOLOSBackbone', (16, 16))),
        (
            dict(type='YOLOSBackbone', arch='tiny', patch_embed=dict(type='MixedPatchEmbed', grid=4)),
            Reading('YOLOSBackbone', (4, 4), mix_grid=4),
        ),
        (
            dict(type='YOLOSBackbone', arch='tiny', patch_embed=dict(type='MixedPatchEmbed', mix_inside=True)),
            Reading('YOLOSBackbone', (16, 16), mixes_inside=True),
        ),
        (dict(type='mmpretrain.ResNet', depth=18), Reading('ResNet')),
    ],
)
def test_models_state_what_they_read(backbone, expected):
    assert reading(SimpleNamespace(backbone=MODELS.build(backbone))) == expected


def heard(name, act, capfd):
    """What an action logs as a warning."""
    MMLogger.get_instance(name, logger_name=name, log_level=logging.WARNING)
    capfd.readouterr()
    act()
    return ''.join(capfd.readouterr())


def test_a_peyolos_fed_plain_images_is_warned_of(detection, capfd):
    plain = dict(train=list(PLAIN), val=list(PLAIN))
    for quiet in (
        lambda: detection('peyolos', **plain, **{'patch_embed.mix_inside': True}),
        lambda: detection('yolos', **plain),
    ):
        assert 'no pipeline has a PatchMixup' not in heard('quiet', quiet, capfd)
    said = heard('plain', lambda: detection('peyolos', **plain), capfd)
    assert 'PEYOLOS reads mixed images, but no pipeline has a PatchMixup' in said


def test_a_checkpoint_of_other_classes_is_refused_in_a_test_and_not_in_training():
    model = built_model(CONFIG, ())
    checkpoint = dict(state_dict=built_model(CONFIG, (('model.head.num_classes', 7),)).state_dict())
    testing = SimpleNamespace(model=model, _train_loop=None)
    CheckEncryption().after_load_checkpoint(testing, dict(state_dict=model.state_dict()))
    with pytest.raises(ValueError) as error:
        CheckEncryption().after_load_checkpoint(testing, checkpoint)
    assert 'head.layers.head.bias: (7,) in the checkpoint, (10,) in the model' in str(error.value)
    CheckEncryption().after_load_checkpoint(SimpleNamespace(model=model, _train_loop=Loop(None, [])), checkpoint)


def test_images_are_the_same_after_the_walk(photo):
    """Checking draws no random numbers and changes no transform."""
    np.random.seed(3)
    steps = [PatchShuffle(16, return_permutation=True), PackInputs(meta_keys=('permutation',))]
    expected = steps[0](dict(img=photo[:64, :64].copy()))['permutation'].tolist()
    np.random.seed(3)
    check_pipeline('', steps, True)
    assert steps[0](dict(img=photo[:64, :64].copy()))['permutation'].tolist() == expected
