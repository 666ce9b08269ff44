"""Transforms that do their part of a preset, and pipelines that do only one of two parts."""

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS

from hii_mm import Scheme
from hii_mm.errors import InvalidValueError
from hii_mm.named import choices
from hii_mm.training.pipelines import check_pipeline
from hii_mm.transforms import PatchMixup, PatchShuffle

KINDS = {'PatchMixup': PatchMixup, 'PatchShuffle': PatchShuffle}


def parts(name):
    """Return the transforms of a preset, as a config names them."""
    scheme = Scheme.preset(name)
    kinds = ['PatchMixup'] * bool(scheme.mixup) + ['PatchShuffle'] * bool(scheme.shuffle)
    return [dict(type=kind, preset=name, **({'remainder': 'crop'} if kind == kinds[0] else {})) for kind in kinds]


@pytest.mark.parametrize('name', choices())
def test_the_parts_together_are_the_preset(name):
    built = [TRANSFORMS.build(step) for step in parts(name)]
    steps = [step for one in built for step in one.scheme.with_remainder('error').steps]
    assert tuple(steps) == Scheme.preset(name).steps
    assert built[0].scheme.remainder == 'crop'
    assert Scheme.from_config(parts(name)).with_remainder('error') == Scheme.preset(name)
    assert check_pipeline('', built, True).problems == []


def test_the_pixels_are_those_of_the_scheme():
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    results = dict(img=image, img_shape=(64, 96))
    for step in parts('mixed-v1'):
        results = TRANSFORMS.build(step).transform(results)
    patches = Scheme(16, strategy='mixup').plan(image.shape).apply(image).reshape(4, 8, 6, 8, 3).swapaxes(1, 2)
    cores = patches[:, :, 1:-1, 1:-1].reshape(24, -1)
    found = results['img'].reshape(4, 6, 6, 6, 3).swapaxes(1, 2).reshape(24, -1)
    assert not np.array_equal(found, cores)
    assert sorted(map(bytes, found)) == sorted(map(bytes, cores))


@pytest.mark.parametrize(
    'kind, given, message',
    [
        ('PatchShuffle', dict(preset='light-v1', gap=3), "preset 'light-v1' and gap=3 both describe the scheme"),
        ('PatchMixup', dict(preset='mixed-v1', grid=4), 'grid=4 both describe the scheme; leave one out'),
        ('PatchShuffle', dict(preset='light-v0'), "preset must be one of paper-rs, .*, got 'light-v0'"),
        ('PatchMixup', dict(preset='light-v1'), 'has no PatchMixup, but a PatchShuffle alone'),
        ('PatchShuffle', dict(preset='paper-mi'), 'has no PatchShuffle, but a PatchMixup alone'),
    ],
)
def test_what_is_refused(kind, given, message):
    with pytest.raises(InvalidValueError, match=message):
        KINDS[kind](**given)
    if not {'gap', 'grid'} & given.keys():
        with pytest.raises(InvalidValueError, match=message):
            Scheme.from_config([dict(type=kind, **given)])


MIX, SHUFFLE = PatchMixup(preset='mixed-v1'), PatchShuffle(preset='mixed-v1')


@pytest.mark.parametrize(
    'steps, wrong',
    [
        ([MIX], 'PatchMixup'),
        ([SHUFFLE], 'PatchShuffle'),
        ([PatchMixup(16, 4), SHUFFLE], 'PatchShuffle'),
        ([MIX, PatchShuffle(8)], 'PatchMixup'),
        ([MIX, SHUFFLE, PatchShuffle(4)], 'PatchMixup'),
    ],
)
def test_a_pipeline_with_a_part_of_a_preset_is_found(steps, wrong):
    problems = check_pipeline('', steps, True).problems
    assert problems[0].startswith(f"{wrong} does its part of the preset 'mixed-v1' (RS on MI p 16, grid 2, gap 1)")
    assert problems[0].endswith("PatchMixup(preset='mixed-v1') and then PatchShuffle(preset='mixed-v1')")


@pytest.mark.parametrize('steps', [[MIX, SHUFFLE], [PatchMixup(16), SHUFFLE], [MIX, PatchShuffle(8, gap=1)], []])
def test_a_whole_preset_is_accepted_however_it_is_written(steps):
    assert check_pipeline('', steps, True).problems == []
