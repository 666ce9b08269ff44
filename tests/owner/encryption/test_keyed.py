"""Plans from a key, against a slow oracle that knows only the standard library."""

import hmac
import itertools
import json
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
)

VECTORS = json.loads((ROOT / 'tests/data/plan_vectors_v1.json').read_text())
RAW = bytes(range(32))


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


def slow_source(raw, params, name):
    fields = dict(strategy='shuffle', patch_size=list(params.patch_size), gap=params.gap, drop_ratio=params.drop_ratio)
    fields.update(orient=params.orient, window=params.window, remainder=params.remainder)
    text = json.dumps(fields, sort_keys=True, separators=(',', ':')).encode()
    key = hkdf(raw, info(b'hii-mm plan v1', text, name.encode('utf-8', 'surrogateescape')), 32)
    return Slow(chacha20_words(key))


def keyed(raw, params, name, shape):
    """The plan of a shuffle from a key."""
    return Scheme.from_steps(params).plan(shape, key=MasterKey(raw), image_id=name).shuffle


def same(ours, slow):
    assert ours.permutation.tolist() == slow.permutation.tolist()
    assert (ours.orientation is None) == (slow.orientation is None)
    if slow.orientation is not None:
        assert ours.orientation.tolist() == slow.orientation.tolist()


@pytest.mark.parametrize('case', VECTORS['cases'], ids=lambda case: case['image_id'])
def test_the_frozen_vectors(case):
    assert VECTORS['plan_version'] == 1
    params, raw = ShuffleParams(**case['parameters']), bytes.fromhex(case['key'])
    shape = tuple(case['plain_shape_hw'])
    plan = keyed(raw, params, case['image_id'], shape)
    assert plan.permutation.tolist() == case['permutation']
    turned = None if plan.orientation is None else plan.orientation.tolist()
    assert turned == case['orientation']
    assert MasterKey(raw).fingerprint == case['fingerprint'] == hkdf(raw, info(b'hii-mm fingerprint v1'), 8).hex()
    same(plan, params.plan(shape, slow_source(raw, params, case['image_id'])))


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
)
def test_every_setting_agrees_with_the_oracle(raw, name, size, gap, drop, orient, window):
    params = ShuffleParams(4, gap, drop, orient, window, 'crop')
    same(keyed(raw, params, name, size), params.plan(size, slow_source(raw, params, name)))


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
    source = keyed_source(MasterKey(RAW), ShuffleParams(2), 'uniform')
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
        keyed(RAW, ShuffleParams(4), 'a/', (64, 64)),
    ]
    assert keyed(RAW, ShuffleParams((4, 4)), 'a', (64, 64)).permutation.tolist() == base
    assert all(other.permutation.tolist() != base for other in others)


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
