"""Plans from a key, against a slow oracle that knows only the standard library."""

import hmac
import itertools
import json
import re
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import ROOT
from hii_mm.encryption import (
    KeyedSource,
    MasterKey,
    Scheme,
    ShuffleParams,
    image_id,
    keyed_source,
    new_dataset_id,
)

VECTORS = json.loads((ROOT / 'tests/data/plan_vectors_v2.json').read_text())
RAW = bytes(range(32))
DATASET = bytes(range(16))


def hkdf(key, info, length):
    """RFC 5869 with SHA-256 and no salt."""
    extracted, out, block = hmac.digest(bytes(32), key, 'sha256'), b'', b''
    for count in range(1, -(-length // 32) + 1):
        block = hmac.digest(extracted, block + info + bytes([count]), 'sha256')
        out += block
    return out[:length]


def chacha20_words(key):
    """RFC 8439's words, counter and nonce 0."""

    def quarter(s, a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            s[z] ^= s[x]
            s[z] = (s[z] << turn | s[z] >> 32 - turn) & 0xFFFFFFFF

    for counter in itertools.count():
        start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack('<8I', key), counter, 0, 0, 0]
        s = start.copy()
        for _ in range(10):
            for column in range(4):
                quarter(s, column, 4 + column, 8 + column, 12 + column)
            for column in range(4):
                quarter(s, column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
        yield from ((x + y) & 0xFFFFFFFF for x, y in zip(s, start))


def info(*fields):
    return b''.join(struct.pack('>I', len(field)) + field for field in fields)


class Slow:
    """The source, word by word."""

    def __init__(self, words):
        self.words = words

    def below(self, bound):
        while True:
            word = next(self.words)
            if word < 2**32 - 2**32 % bound:
                return word % bound

    def permutation(self, n):
        order = list(range(n))
        for last in range(n - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return np.array(order)

    def integers(self, high, size):
        return np.array([self.below(high) for _ in range(size)])


def slow_source(raw, params, name, shape, dataset=DATASET):
    fields = dict(strategy='shuffle', patch_size=list(params.patch_size), gap=params.gap, drop_ratio=params.drop_ratio)
    fields.update(orient=params.orient, window=params.window, remainder=params.remainder)
    fields.update(shape=list(shape), **({'tone': True} if params.tone else {}))
    fields.update({'noise': params.noise} if params.noise else {})
    text = json.dumps(fields, sort_keys=True, separators=(',', ':')).encode()
    key = hkdf(raw, info(b'hii-mm plan v2', dataset, text, name.encode('utf-8', 'surrogateescape')), 32)
    return Slow(chacha20_words(key))


def keyed(raw, params, name, shape, dataset=DATASET):
    """The plan of a shuffle from a key."""
    plan = Scheme.from_steps(params).plan(shape, key=MasterKey(raw), image_id=name, dataset_id=dataset)
    return plan.shuffle


def tones(plan):
    """The tone of each place as lists: order, inversions and levels."""
    found = plan.tone
    return found and [found.order.tolist(), found.inverted.astype(int).tolist(), found.level.tolist()]


def noise(plan):
    """The words of the noise as a list."""
    return plan.noise and plan.noise.seed.tolist()


def same(ours, slow):
    assert (tones(ours), noise(ours)) == (tones(slow), noise(slow))
    assert ours.permutation.tolist() == slow.permutation.tolist()
    assert (ours.orientation is None) == (slow.orientation is None)
    if slow.orientation is not None:
        assert ours.orientation.tolist() == slow.orientation.tolist()


@pytest.mark.parametrize('case', VECTORS['cases'], ids=lambda case: case['image_id'])
def test_the_frozen_vectors(case):
    assert VECTORS['plan_version'] == 2
    params, raw = ShuffleParams(**case['parameters']), bytes.fromhex(case['key'])
    shape = tuple(case['plain_shape_hw'])
    plan = keyed(raw, params, case['image_id'], shape, case['dataset_id'])
    assert plan.permutation.tolist() == case['permutation']
    turned = None if plan.orientation is None else plan.orientation.tolist()
    assert turned == case['orientation']
    assert (tones(plan), noise(plan)) == (case.get('tone'), case.get('noise'))
    assert MasterKey(raw).fingerprint == case['fingerprint'] == hkdf(raw, info(b'hii-mm fingerprint v1'), 8).hex()
    same(plan, params.plan(shape, slow_source(raw, params, case['image_id'], shape, bytes.fromhex(case['dataset_id']))))


def test_the_oracle_against_rfc_8439():
    # section 2.3.2's key, and the first words of appendix A.1, test vectors 1 and 2
    words = list(itertools.islice(chacha20_words(bytes(32)), 17))
    assert words[:4] == [0xADE0B876, 0x903DF1A0, 0xE56A5D40, 0x28BD8653]
    assert words[16] == 0xBEE7079F


def test_the_oracle_against_rfc_5869():
    # appendix A.3: SHA-256, no salt, no info
    out = hkdf(b'\x0b' * 22, b'', 42)
    assert out.hex().startswith('8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d')


@settings(max_examples=40, deadline=None)
@given(
    raw=st.binary(min_size=32, max_size=32),
    name=st.text(min_size=1, max_size=20).filter(lambda s: s.isprintable()),
    size=st.tuples(st.integers(8, 60), st.integers(8, 60)),
    gap=st.integers(0, 1),
    drop=st.sampled_from([0, 0.25, 0.5]),
    orient=st.booleans(),
    window=st.sampled_from([None, 2, 3]),
    tone=st.booleans(),
    noise=st.sampled_from([0, 1, 128]),
    dataset=st.binary(min_size=16, max_size=16),
)
def test_every_setting_agrees_with_the_oracle(raw, name, size, gap, drop, orient, window, tone, noise, dataset):
    params = ShuffleParams(4, gap, drop, orient, window, 'crop', tone, noise)
    same(keyed(raw, params, name, size, dataset), params.plan(size, slow_source(raw, params, name, size, dataset)))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), bounds=st.lists(st.integers(1, 2**32), min_size=1, max_size=8))
def test_rejection_agrees_with_the_oracle(data, bounds):
    """On a stream that is mostly words near the limits, where a real one hardly ever is."""
    edges = sorted({2**32 - 1, 0, *(2**32 - 2**32 % b - 1 for b in bounds), *(-(2**32) % b for b in bounds)})
    words = data.draw(st.lists(st.sampled_from([e for e in edges if e < 2**32]), min_size=40, max_size=40))
    words += list(range(1000, 1400))

    def stream(words):
        return lambda n: struct.pack(f'<{n}I', *itertools.islice(words, n))

    ours, slow = KeyedSource(stream(iter(words))), Slow(iter(words))
    for bound in bounds:
        assert ours.integers(bound, size=2).tolist() == slow.integers(bound, 2).tolist()
    assert ours.permutation(7).tolist() == slow.permutation(7).tolist()


@pytest.mark.parametrize('n', [3, 4])
def test_permutations_are_uniform(n):
    """Chi-square over all permutations; the key is fixed, so the outcome is too."""
    counts = {}
    source = keyed_source(MasterKey(RAW), ShuffleParams(2), (4, 4), image_id='uniform', dataset_id=DATASET)
    rounds = 200 * len(list(itertools.permutations(range(n))))
    for _ in range(rounds):
        order = tuple(source.permutation(n).tolist())
        counts[order] = counts.get(order, 0) + 1
    kinds = len(list(itertools.permutations(range(n))))
    chi = sum((count - 200) ** 2 / 200 for count in counts.values()) + 200 * (kinds - len(counts))
    limit = {3: 20.5, 4: 49.7}[n]  # chi-square of kinds - 1 degrees of freedom at p = 0.001
    assert chi < limit


def test_plans_of_different_images_are_uniform_and_never_plain():
    counts = {}
    for number in range(2300):
        order = tuple(keyed(RAW, ShuffleParams(2), f'folder/{number}', (4, 4)).permutation.tolist())
        counts[order] = counts.get(order, 0) + 1
    assert (0, 1, 2, 3) not in counts
    assert len(counts) == 23
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 48.3  # 22 degrees, p = 0.001


def test_each_ingredient_changes_the_plan():
    base = keyed(RAW, ShuffleParams(4), 'a', (64, 64)).permutation.tolist()
    others = [
        keyed(RAW[::-1], ShuffleParams(4), 'a', (64, 64)),
        keyed(RAW, ShuffleParams(4, gap=1), 'a', (64, 64)),
        keyed(RAW, ShuffleParams(4, remainder='crop'), 'a', (64, 64)),
        keyed(RAW, ShuffleParams(4, tone=True), 'a', (64, 64)),
        keyed(RAW, ShuffleParams(4, noise=1), 'a', (64, 64)),
        keyed(RAW, ShuffleParams(4, noise=2), 'a', (64, 64)),
        keyed(RAW, ShuffleParams(4), 'a/', (64, 64)),
        keyed(RAW, ShuffleParams(4), 'a', (64, 64), DATASET[::-1]),
        keyed(RAW, ShuffleParams(4), 'a', (32, 128)),
        keyed(RAW, ShuffleParams(4, remainder='crop'), 'a', (64, 65)),
    ]
    assert keyed(RAW, ShuffleParams((4, 4)), 'a', (64, 64, 3), DATASET.hex().upper()).permutation.tolist() == base
    orders = [base, *(other.permutation.tolist() for other in others)]
    assert len(set(map(tuple, orders))) == len(orders)


def test_two_sizes_share_no_key_stream():
    """The last place is drawn first, modulo a power of two for both: with one stream they would always agree mod 16."""
    ends = []
    for number in range(32):
        small, large = (keyed(RAW, ShuffleParams(4), f'{number}', (side, side)) for side in (16, 32))
        ends.append((small.permutation[-1] - large.permutation[-1]) % 16)
    assert np.count_nonzero(ends) >= 24


def test_mixed_images_are_bound_by_the_size_that_is_shuffled():
    scheme = Scheme(16, strategy='both')
    plan = scheme.plan((64, 96), key=MasterKey(RAW), image_id='a', dataset_id=DATASET)
    same(plan.shuffle, scheme.shuffle.plan((32, 48), slow_source(RAW, scheme.shuffle, 'a', (32, 48))))


@pytest.mark.parametrize('wrong', ['', '0' * 31, '0' * 33, 'x' * 32, '0' * 31 + '\n', b'', bytes(15), bytes(32), 7])
def test_what_is_no_id_of_a_data_set(wrong):
    with pytest.raises((ValueError, TypeError), match='dataset_id must'):
        keyed(RAW, ShuffleParams(4), 'a', (64, 64), wrong)


def test_new_ids_of_data_sets():
    made = {new_dataset_id() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch('[0-9a-f]{32}', each) for each in made)


@pytest.mark.parametrize(
    'path, root, expected',
    [
        ('/d/train/cat/a.b.jpg', '/d/train', 'cat/a.b'),
        ('d/train/../train/a.png', 'd/train/', 'a'),
        ('/d/noext', '/d', 'noext'),
        ('/d/..x/a.png', '/d', '..x/a'),
    ],
)
def test_image_ids(path, root, expected):
    assert image_id(path, root) == expected


@pytest.mark.parametrize('path', ['/e/a.png', '/d', '/', 'a.png', '/dd/a.png', '/d/../a.png'])
def test_no_image_id_outside_of_the_root(path):
    with pytest.raises(ValueError, match="does not lie in '/d'"):
        image_id(path, '/d')
