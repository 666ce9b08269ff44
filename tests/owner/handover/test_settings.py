"""Settings: the ``parameters`` of a manifest, there and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hii_mm import Scheme
from hii_mm.encryption import MixupParams, ShuffleParams
from hii_mm.errors import UsageError
from hii_mm.handover import Settings

SCHEMES = st.builds(
    Scheme,
    st.sampled_from([16, (16, 32)]),
    strategy=st.just('shuffle'),
    gap=st.integers(0, 3),
    drop_ratio=st.sampled_from([0.0, 0.25]),
    orient=st.booleans(),
    window=st.sampled_from([None, 2]),
    tone=st.booleans(),
    noise=st.sampled_from([0, 16]),
    remainder=st.sampled_from(['error', 'pad', 'crop']),
) | st.builds(
    Scheme,
    st.sampled_from([16, (16, 32)]),
    strategy=st.sampled_from(['mixup', 'both']),
    grid=st.sampled_from([2, 4]),
    remainder=st.sampled_from(['error', 'pad', 'crop']),
)


@given(
    scheme=SCHEMES,
    size=st.sampled_from([None, 64, (64, 32)]),
    fit=st.sampled_from([None, 'crop', 'resize', 'pad']),
    form=st.sampled_from(['png', 'webp', 'shards']),
    rename=st.booleans(),
    keep=st.booleans(),
    frame=st.sampled_from(['upright', 'raw']),
)
def test_parameters_come_back_from_json(scheme, size, fit, form, rename, keep, frame):
    size_of_shards = 7 if form == 'shards' else 1000
    names = {'keep_class_names': rename and keep, 'boxes_frame': frame}
    settings = Settings(scheme, size, fit, form, rename, size_of_shards, **names)
    values = json.loads(json.dumps(settings.to_json()))
    assert Settings.from_json(values) == settings
    assert Scheme.from_manifest(values) == settings.scheme
    assert list(values['encrypted_patch_size']) == list(scheme.core_size)


def test_the_order_of_the_parameters_is_frozen():
    """The order decides the bytes, and so the signature, of a manifest."""
    shuffle = Settings(Scheme(16, gap=2), (64, 48)).to_json()
    assert json.dumps(shuffle) == (
        '{"strategy": "shuffle", "patch_size": [16, 16], "gap": 2, "drop_ratio": 0.0, "orient": false, '
        '"window": null, "size": [64, 48], "fit": "crop", "format": "png", "rename": false, '
        '"keep_class_names": false, "boxes_frame": "upright", "encrypted_patch_size": [12, 12]}'
    )
    mixup = Settings(Scheme((16, 32), strategy='mixup', grid=4), 256, 'pad', 'shards', shard_size=9).to_json()
    assert json.dumps(mixup) == (
        '{"strategy": "mixup", "patch_size": [16, 32], "grid": 4, "size": 256, "fit": "pad", "format": "shards", '
        '"rename": false, "keep_class_names": false, "boxes_frame": "upright", "shard_size": 9, '
        '"encrypted_patch_size": [4, 8]}'
    )
    both = Scheme(16, strategy='both', gap=1, window=2)
    both = Settings(both, rename=True, keep_class_names=True, boxes_frame='raw').to_json()
    assert json.dumps(both) == (
        '{"strategy": "both", "patch_size": [16, 16], "gap": 1, "drop_ratio": 0.0, "orient": false, "window": 2, '
        '"grid": 2, "size": null, "fit": null, "format": "png", "rename": true, '
        '"keep_class_names": true, "boxes_frame": "raw", "encrypted_patch_size": [6, 6]}'
    )


@pytest.mark.parametrize(
    'size, fit, given_remainder, remainder, found_fit',
    [
        (None, None, 'error', 'error', None),
        (None, None, 'pad', 'pad', 'pad'),
        (None, 'crop', 'pad', 'crop', 'crop'),
        (None, 'resize', 'error', 'error', 'resize'),
        (64, None, 'error', 'crop', 'crop'),
        (64, None, 'pad', 'pad', 'pad'),
        ((64, 64), None, 'error', 'error', 'crop'),
        ((64, 64), 'pad', 'crop', 'error', 'pad'),
    ],
)
def test_size_and_fit_decide_the_remainder(size, fit, given_remainder, remainder, found_fit):
    settings = Settings(Scheme(16, remainder=given_remainder), size, fit)
    assert (settings.scheme.remainder, settings.fit) == (remainder, found_fit)


@pytest.mark.parametrize(
    'steps', [(MixupParams(16, 2), ShuffleParams(4)), (MixupParams(16, 2), ShuffleParams(8, remainder='pad'))]
)
def test_a_scheme_that_a_manifest_cannot_describe_is_refused(steps):
    with pytest.raises(UsageError, match='a manifest cannot describe'):
        Settings(Scheme.from_steps(*steps))


@pytest.mark.parametrize(
    'values, message',
    [
        ([], 'Expected `object`, got `array`'),
        ({'strategy': 'other'}, "strategy must be one of .* got 'other'"),
        ({'patch_size': '16'}, 'patch_size'),
        ({'patch_size': [16]}, 'patch_size'),
        ({'gap': 1.5}, 'gap'),
        ({'gap': True}, 'gap'),
        ({'drop_ratio': float('inf')}, r'must be in \[0, 1\), got inf'),
        ({'secret': 1}, 'unknown field `secret`'),
        ({'strategy': 'shuffle', 'grid': 4}, "grid 4 needs mixing; strategy 'shuffle' has none"),
        ({'strategy': 'mixup', 'gap': 2}, "strategy 'mixup' has none"),
    ],
)
def test_parameters_that_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        Settings.from_json(values)
