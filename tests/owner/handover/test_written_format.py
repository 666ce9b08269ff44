"""docs/reference/format.md is enough: a program that follows it, without hii_mm, decrypts real copies."""

import re
import subprocess
import sys

import numpy as np
import pytest

import hii_mm
from helpers import DATA, ROOT
from helpers.copies import pixels, write_image
from hii_mm import Scheme
from hii_mm.encryption import keyfile

SCRIPT = DATA / 'decrypt_by_the_format.py'
CASES = {
    'plain': (Scheme(16), {}),
    'gap, drop and turns': (Scheme(16, gap=2, drop_ratio=0.3, orient=True), {}),
    'windows': (Scheme(8, window=3, orient=True, gap=1), {}),
    'windows of a part': (Scheme(8, window=2, drop_ratio=0.4), {}),
    'oblong patches': (Scheme((8, 16), orient=True), {}),
    'cropped': (Scheme(12, orient=True), {'fit': 'crop'}),
    'padded': (Scheme(12, gap=1), {'fit': 'pad'}),
    'a size': (Scheme(16), {'size': (32, 32), 'fit': 'crop'}),
    'a short side': (Scheme(16), {'size': 40, 'fit': 'resize'}),
    'tar files': (Scheme(16, orient=True), {'format': 'shards', 'shard_size': 2}),
    'renamed': (Scheme(16, orient=True), {'rename': True}),
    'tone': (Scheme(16, tone=True), {}),
    'tone of all else': (Scheme((8, 12), orient=True, gap=1, drop_ratio=0.3, tone=True), {'fit': 'pad'}),
    'noise': (Scheme(16, noise=32), {}),
    'noise of all else': (Scheme((8, 12), orient=True, gap=1, drop_ratio=0.3, tone=True, noise=128), {'fit': 'pad'}),
}


def by_the_format(*words):
    """Run the program where no package can be imported."""
    done = subprocess.run([sys.executable, '-I', '-S', SCRIPT, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def in_png_order(path):
    """Return the samples of an image file as PNG orders them."""
    found = pixels(path)
    return found.astype('>u2').tobytes() if found.dtype == np.uint16 else found.tobytes()


@pytest.fixture
def pictures(tmp_path):
    """Colour, grey, alpha, 16 bit; names with dots, per cent signs and accents."""
    shapes = {'a/one.png': (48, 64, 3), 'a/t.w%o.png': (48, 64), 'b/caf\u00e9.png': (64, 48, 4), 'c.png': (96, 80, 3)}
    for seed, (name, shape) in enumerate(shapes.items()):
        write_image(tmp_path / 'src' / name, shape, seed)
    write_image(tmp_path / 'src' / 'deep.png', (48, 48), 9, np.uint16)
    return tmp_path / 'src'


@pytest.mark.parametrize('case', CASES)
def test_a_stranger_decrypts_what_encrypt_wrote(tmp_path, pictures, key, case):
    scheme, options = CASES[case]
    hii_mm.encrypt(pictures, tmp_path / 'dst', key=key, scheme=scheme, **options)
    hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'ours', key=key)
    by_the_format(key, tmp_path / 'dst', tmp_path / 'theirs')
    found = sorted(path.relative_to(tmp_path / 'theirs') for path in (tmp_path / 'theirs').rglob('*.raw'))
    assert len(found) == 5
    for name in found:
        assert (tmp_path / 'theirs' / name).read_bytes() == in_png_order(tmp_path / 'ours' / name.with_suffix('.png'))
        if not options.get('size') and not scheme.shuffle.gap and not scheme.shuffle.drop_ratio and case != 'cropped':
            plain = in_png_order(pictures / name.with_suffix('.png'))
            same = np.mean([a == b for a, b in zip((tmp_path / 'theirs' / name).read_bytes(), plain)])
            assert same == 1 or (scheme.shuffle.noise and same > 0.8)  # values that noise clipped


def test_a_stranger_opens_a_key_with_a_passphrase(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(keyfile, 'SCRYPT_LOG_N', 14)
    key = hii_mm.write_new_key(tmp_path / 'sealed', passphrase='five words')
    hii_mm.encrypt(pictures, tmp_path / 'dst', key=key, scheme=Scheme(16))
    by_the_format(tmp_path / 'sealed', tmp_path / 'dst', tmp_path / 'theirs', 'five words')
    assert (tmp_path / 'theirs' / 'c.raw').read_bytes() == in_png_order(pictures / 'c.png')


def test_every_purpose_of_the_key_is_documented():
    text = (ROOT / 'docs' / 'reference' / 'format.md').read_text()
    code = ''.join(path.read_text() for path in (ROOT / 'hii_mm').rglob('*.py'))
    purposes = set(re.findall(r"derive\(f?'(hii-mm [\w ]+ v(?:\d+|\{PLAN_VERSION\}))'", code))
    assert len(purposes) >= 6
    assert not [purpose for purpose in purposes if f'`{purpose.replace("{PLAN_VERSION}", "2")}`' not in text]
