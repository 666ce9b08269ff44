"""PatchShuffle with a key, in mm pipelines and in a real run: the pixels of ``encrypt``, and no key anywhere."""

import pickle

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from PIL import Image

import hii_mm
from helpers import ROOT
from helpers.copies import DATASET, pixels
from hii_mm import Scheme
from hii_mm.errors import KeyFileError, ManifestError
from hii_mm.transforms import PatchShuffle

VARIABLE = 'HII_MM_KEY_FILE'
CONFIG = 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_digits.py'


@pytest.fixture
def key(tmp_path, monkeypatch):
    """A key file that the environment names."""
    hii_mm.write_new_key(tmp_path / 'key')
    monkeypatch.setenv(VARIABLE, str(tmp_path / 'key'))
    return tmp_path / 'key'


@pytest.fixture
def src(tmp_path):
    """Two classes of three pictures."""
    rng = np.random.default_rng(0)
    for i in range(6):
        path = tmp_path / 'src' / f'c{i % 2}' / f'{i}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)).save(path)
    return tmp_path / 'src'


@pytest.mark.parametrize('scope, pack', [('mmpretrain', 'PackInputs'), ('mmdet', 'PackDetInputs')])
@pytest.mark.parametrize('strategy', ['shuffle', 'both'])
def test_a_pipeline_gives_the_pixels_of_encrypt(tmp_path, key, src, scope, pack, strategy):
    encryption = Scheme(16, strategy=strategy, orient=True, drop_ratio=0.2, tone=True, noise=40)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=encryption)
    init_default_scope(scope)
    mix = [dict(type='hii_mm.PatchMixup', patch_size=16, grid=2)] if strategy == 'both' else []
    side = 8 if mix else 16
    keyed = dict(key=VARIABLE, image_root=str(src), dataset=str(tmp_path / 'dst'))
    options = dict(orient=True, drop_ratio=0.2, tone=True, noise=40)
    shuffle = dict(type='hii_mm.PatchShuffle', patch_size=side, **options, **keyed)
    steps = [dict(type='LoadImageFromFile'), *mix, shuffle, dict(type=pack, meta_keys=())]
    pipeline = pickle.loads(pickle.dumps(Compose(steps)))
    for path in sorted(src.rglob('*.png')):
        packed = pipeline(dict(img_path=str(path)))['inputs'].numpy()  # (3, h, w) BGR
        stored = pixels(tmp_path / 'dst' / path.relative_to(src))
        assert (packed[::-1].transpose(1, 2, 0) == stored).all()


def test_the_key_is_not_pickled_nor_shown(key, src):
    transform = PatchShuffle(key=VARIABLE, image_root=str(src), dataset=DATASET)
    path = str(next(src.rglob('*.png')))
    transform({'img': np.zeros((64, 96, 3), np.uint8), 'img_path': path})
    secret = hii_mm.read_key(key).reveal()
    for data in (pickle.dumps(transform), repr(transform).encode(), repr(vars(transform)).encode()):
        assert secret not in data
        assert secret.hex().encode() not in data
        assert str(list(secret))[1:-1].encode() not in data


@pytest.mark.parametrize('value', ['/home/me/key', 'ab' * 32, 'lower', 'A-B', ''])
def test_a_key_or_a_path_in_a_config_is_refused_and_not_repeated(value):
    with pytest.raises(ValueError, match='must be the name of an environment variable') as error:
        PatchShuffle(key=value, image_root='.', dataset=DATASET)
    assert not value or value not in str(error.value)
    with pytest.raises(TypeError, match='got a bytes'):
        PatchShuffle(key=bytes(32), image_root='.', dataset=DATASET)
    for given in (dict(key=VARIABLE), dict(key=VARIABLE, image_root='.'), dict(dataset=DATASET), dict(image_root='.')):
        with pytest.raises(ValueError, match='key, image_root and dataset need each other'):
            PatchShuffle(**given)


def test_what_is_no_data_set(tmp_path, key):
    for wrong, error in (('0' * 31, ManifestError), (str(tmp_path), ManifestError), (bytes(16), TypeError)):
        with pytest.raises(error):
            PatchShuffle(key=VARIABLE, image_root='.', dataset=wrong)


def test_a_key_with_a_passphrase(tmp_path, src, monkeypatch):
    hii_mm.write_new_key(tmp_path / 'sealed', passphrase='five words')
    monkeypatch.setenv(VARIABLE, str(tmp_path / 'sealed'))
    results = {'img': np.zeros((64, 96, 3), np.uint8), 'img_path': str(src / 'c0/0.png')}
    with pytest.raises(KeyFileError, match='protected by a passphrase.*HII_MM_PASSPHRASE_FILE'):
        PatchShuffle(key=VARIABLE, image_root=str(src), dataset=DATASET)(results)
    (tmp_path / 'words').write_text('five words\n')
    (tmp_path / 'words').chmod(0o600)
    monkeypatch.setenv('HII_MM_PASSPHRASE_FILE', str(tmp_path / 'words'))
    assert PatchShuffle(key=VARIABLE, image_root=str(src), dataset=DATASET)(results)['img'].shape == (64, 96, 3)


def test_what_is_missing_is_named(key, src, monkeypatch, tmp_path):
    transform = PatchShuffle(key=VARIABLE, image_root=str(src), dataset=DATASET)
    image = np.zeros((64, 96, 3), np.uint8)
    with pytest.raises(ValueError, match='does not lie in'):
        transform({'img': image, 'img_path': str(tmp_path / 'else.png')})
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(KeyFileError, match='variable HII_MM_KEY_FILE is not set'):
        PatchShuffle(key=VARIABLE, image_root=str(src), dataset=DATASET)(
            {'img': image, 'img_path': str(src / 'c0/0.png')}
        )


def test_a_training_run_leaves_no_key_seed_or_permutation(tmp_path, key, digits_root, run):
    """Logs, dumped config, checkpoints and TensorBoard's files of a real run, searched for every form of the key."""
    cfg = Config.fromfile(ROOT / CONFIG)
    src = tmp_path / 'pictures'
    images = np.frombuffer((digits_root / 'train-images-idx3-ubyte').read_bytes()[16:], np.uint8).reshape(-1, 28, 28)
    for i in range(32):
        (src / str(i % 2)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[i]).save(src / str(i % 2) / f'{i}.png')
    load = dict(type='LoadImageFromFile', color_type='grayscale')
    shuffle = dict(type='PatchShuffle', patch_size=4, key=VARIABLE, image_root=str(src), dataset=DATASET)
    dataset = dict(type='CustomDataset', data_root=str(src), pipeline=[load, shuffle, dict(type='PackInputs')])
    cfg.train_dataloader = dict(cfg.train_dataloader, batch_size=16, dataset=dataset)
    cfg.val_dataloader = cfg.test_dataloader = dict(cfg.val_dataloader, dataset=dataset)
    cfg.train_cfg.max_epochs = 1
    backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    cfg.visualizer = dict(type='UniversalVisualizer', vis_backends=backends)
    cfg.dump(tmp_path / 'config.py')
    done = run('tools/train.py', tmp_path / 'config.py', '--work-dir', tmp_path / 'work')
    assert list((tmp_path / 'work').glob('*.pth'))
    assert list((tmp_path / 'work').rglob('events.out.tfevents*'))
    secret = hii_mm.read_key(key).reveal()
    plan = Scheme(4).plan((28, 28), key=hii_mm.read_key(key), image_id='0/0', dataset_id=DATASET)
    permutation = plan.shuffle.permutation
    forms = [secret, secret.hex().encode(), str(list(secret))[1:-1].encode(), permutation.tobytes()]
    forms += [', '.join(map(str, permutation)).encode(), ' '.join(map(str, permutation)).encode()]
    written = [done.stdout.encode(), done.stderr.encode()]
    written += [path.read_bytes() for path in (tmp_path / 'work').rglob('*') if path.is_file()]
    assert len(written) > 5
    assert not [1 for data in written for form in forms if form in data]
    assert any(VARIABLE.encode() in data for data in written)  # what is searched is there
