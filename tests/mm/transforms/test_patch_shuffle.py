"""PatchShuffle in mm: registries, pipelines, workers."""

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate, worker_init_fn
from mmengine.registry import DefaultScope, init_default_scope
from torch.utils.data import DataLoader, Dataset

import hii_mm.register  # noqa: F401
from hii_mm import Scheme, transforms
from hii_mm.presets import MEASURED
from hii_mm.transforms import PatchShuffle


@pytest.fixture(params=['mmpretrain', 'mmdet'])
def scope(request):
    """Run in the default scope of a host, and leave it afterwards."""
    init_default_scope(request.param)
    yield request.param
    DefaultScope._instance_dict.clear()


def sample(photo, side=64):
    return dict(img=photo[:side, :side].copy(), img_shape=(side, side), ori_shape=(side, side))


def shuffled(rows):
    return [tuple(row['permutation']) for row in rows]


@pytest.mark.parametrize('name', ['PatchShuffle', 'hii_mm.PatchShuffle'])
def test_it_runs_in_a_pipeline_of_each_host(scope, name, photo):
    pack = dict(type='PackInputs' if scope == 'mmpretrain' else 'PackDetInputs', meta_keys=('img_shape', 'permutation'))
    pipeline = Compose([dict(type=name, patch_size=16, gap=2, return_permutation=True), pack])
    assert isinstance(pipeline.transforms[0], PatchShuffle)
    packed = pipeline(sample(photo))
    assert packed['inputs'].shape == (3, 48, 48)
    assert packed['data_samples'].img_shape == (48, 48)
    assert sorted(packed['data_samples'].metainfo['permutation']) == list(range(16))


def test_the_pixels_are_those_of_the_plan(photo):
    results = PatchShuffle(16, return_permutation=True)(sample(photo))
    for place, source in enumerate(results['permutation']):
        (y, x), (v, u) = divmod(place, 4), divmod(source, 4)
        got = results['img'][y * 16 : y * 16 + 16, x * 16 : x * 16 + 16]
        np.testing.assert_array_equal(got, photo[v * 16 : v * 16 + 16, u * 16 : u * 16 + 16])


def test_the_permutation_is_kept_to_itself_unless_asked_for(photo):
    assert set(PatchShuffle(16)(sample(photo))) == {'img', 'img_shape', 'ori_shape'}


def test_shapes_follow_where_they_are_given(photo):
    results = PatchShuffle(16, remainder='pad')(dict(img=photo[:50, :60].copy(), pad_shape=(50, 60)))
    assert results['img'].shape == (64, 64, 3)
    assert results['img_shape'] == results['pad_shape'] == (64, 64)


def test_numpys_seed_repeats_it(photo):
    transform, drawn = PatchShuffle(16, return_permutation=True), []
    for seed in (1, 2, 1):
        np.random.seed(seed)
        drawn.append(shuffled(transform(sample(photo)) for _ in range(2)))
    assert drawn[0] == drawn[2] != drawn[1]
    assert drawn[0][0] != drawn[0][1]


def test_cache_randomness_repeats_it(photo):
    from mmcv.transforms.utils import cache_random_params

    transform = PatchShuffle(16, return_permutation=True)
    with cache_random_params(transform):
        same = shuffled(transform(sample(photo)) for _ in range(3))
    assert len(set(same)) == 1
    assert len(set(shuffled(transform(sample(photo)) for _ in range(3)))) == 3


class Photos(Dataset):
    """Eight times one picture, each shuffled."""

    def __init__(self, photo):
        self.photo, self.transform = photo, PatchShuffle(16, return_permutation=True)

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(self.transform(sample(self.photo)))


def epochs(photo, seed, persistent, count=3):
    """The permutations of some epochs, loaded as mmengine's runner does."""
    torch.manual_seed(seed)
    np.random.seed(seed)

    def init(worker):
        worker_init_fn(worker, num_workers=2, rank=0, seed=seed)

    loader = DataLoader(
        Photos(photo), 1, num_workers=2, worker_init_fn=init, collate_fn=pseudo_collate, persistent_workers=persistent
    )
    return [[tuple(batch['permutation'][0]) for batch in loader] for _ in range(count)]


@pytest.mark.parametrize('persistent', [True, False])
def test_every_worker_and_epoch_differs_and_a_seed_repeats_all(photo, persistent):
    drawn = epochs(photo, 0, persistent)
    assert len({p for epoch in drawn for p in epoch}) == 24
    assert epochs(photo, 0, persistent) == drawn
    assert epochs(photo, 1, persistent) != drawn


@pytest.mark.parametrize('name', ['PatchShuffle', 'PatchMixup'])
@pytest.mark.parametrize('key', ['gt_keypoints', 'proposals'])
def test_what_cannot_be_moved_is_refused(photo, name, key):
    results = dict(sample(photo), **{key: np.zeros((1, 4), np.float32)})
    with pytest.raises(ValueError, match=f'{name} cannot move {key}'):
        getattr(transforms, name)(16)(results)
    assert (results['img'] == photo[:64, :64]).all()


@pytest.mark.parametrize('gt', [np.array(3), np.array([1, 4])])
def test_class_labels_pass(photo, gt):
    assert (PatchShuffle(16)(dict(sample(photo), gt_label=gt))['gt_label'] == gt).all()


def test_results_are_an_ordinary_dict(photo):
    given = sample(photo)
    assert PatchShuffle(16)(given) is given
    assert type(transforms.PatchMixup(16)(given)) is dict


@pytest.mark.parametrize(
    'transform, text',
    [
        (PatchShuffle(8, gap=1), "PatchShuffle(RS p 8, gap 1, remainder='error', bbox_mode='fragment', key=None, "),
        (transforms.PatchMixup((16, 8), 4, 'pad'), "PatchMixup(MI p 16 x 8, grid 4, remainder='pad')"),
    ],
)
def test_repr_shows_the_scheme(transform, text):
    assert repr(transform).startswith(text)


def test_a_scheme_that_hides_little_is_logged_once_in_a_process(run):
    code = (
        'from hii_mm.transforms import PatchShuffle\n'
        'for gap in (0, 0, 4):\n    PatchShuffle(patch_size=16, gap=gap)\n'
        "PatchShuffle(patch_size=16, remainder='crop')"
    )
    done = run('-c', code)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if 'PatchShuffle' in line]
    assert len(lines) == 1
    assert 'WARNING' in lines[0]
    assert lines[0].endswith(f'RS p 16, gap 0: {MEASURED[Scheme(16)]}; see docs/measured_attacks.md')
