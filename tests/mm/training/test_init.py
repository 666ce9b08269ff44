"""``hii-mm init``: from somebody's own folder to a config that trains, and to predictions."""

import json

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

import hii_mm
from hii_mm import Scheme
from hii_mm.cli.main import main
from hii_mm.errors import CheckpointError, SourceError, UsageError
from hii_mm.training.config import run_config
from hii_mm.training.manifest_check import scheme_of_copy
from hii_mm.training.starter import look
from hii_mm.training.starter_text import write_config

RS, MI, BOTH = Scheme(8, gap=1), Scheme(16, strategy='mixup', grid=2), Scheme(16, strategy='both', gap=1)


@pytest.fixture(scope='module')
def folders(tmp_path_factory, photo):
    """Classes of cut-outs of a photograph, and a copy of them with its key."""
    root, rng = tmp_path_factory.mktemp('own'), np.random.default_rng(0)
    for part, count in (('train', 8), ('val', 3)):
        for k, name in enumerate(('bright', 'dark')):
            folder = root / 'plain' / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                y, x = rng.integers(400, size=2)
                Image.fromarray(photo[y : y + 64, x : x + 64] // (1 + k)).save(folder / f'{number}.png')
    hii_mm.write_new_key(root / 'key')
    for part in ('train', 'val'):
        hii_mm.encrypt(root / 'plain' / part, root / 'encrypted' / part, scheme=RS, key=root / 'key')
    return root


@pytest.fixture(scope='module')
def boxes(tmp_path_factory, photo):
    """Pictures with COCO files, a mixed copy, and a mixed and shuffled one."""
    root, rng = tmp_path_factory.mktemp('coco'), np.random.default_rng(1)
    (root / 'plain' / 'annotations').mkdir(parents=True)
    for part, count in (('train', 6), ('val', 3)):
        (root / 'plain' / part).mkdir()
        images, annotations = [], []
        for number in range(1, count + 1):
            y, x = rng.integers(350, size=2)
            Image.fromarray(photo[y : y + 96, x : x + 96]).save(root / 'plain' / part / f'{number}.png')
            images.append({'id': number, 'file_name': f'{number}.png', 'width': 96, 'height': 96})
            box = [int(v) for v in rng.integers(8, 40, 4)]
            annotations.append(
                {
                    'id': number,
                    'image_id': number,
                    'category_id': 1 + number % 2,
                    'bbox': box,
                    'area': 900,
                    'iscrowd': 0,
                }
            )
        coco = {
            'images': images,
            'annotations': annotations,
            'categories': [{'id': 1, 'name': 'face'}, {'id': 2, 'name': 'flag'}],
        }
        (root / 'plain' / 'annotations' / f'{part}.json').write_text(json.dumps(coco))
    hii_mm.write_new_key(root / 'key')
    for name, scheme, part in ((n, s, p) for n, s in (('encrypted', MI), ('shuffled', BOTH)) for p in ('train', 'val')):
        hii_mm.encrypt(
            root / 'plain' / part, root / name / part, scheme=scheme, key=root / 'key',
            annotations=[root / 'plain' / 'annotations' / f'{part}.json'],
        )  # fmt: skip
    return root


def train(config, folder):
    """Train with a config, and return the checkpoint."""
    cfg = run_config(str(config), loaders=['train', 'val'], work_dir=str(folder))
    for name in ('train_dataloader', 'val_dataloader'):
        (cfg.get(name) or {}).update(num_workers=0, persistent_workers=False)
    Runner.from_cfg(cfg).train()
    return next(folder.glob('epoch_*.pth'))


def init(task, data, config, *words):
    """Run the command, and return the lines of the config."""
    assert main(['init', task, '--data', str(data), '--out', str(config), '--epochs', '1', *words]) == 0
    return config.read_text().splitlines()


@pytest.mark.parametrize(
    'kind, words', [('plain', ['--patch-size', '8', '--gap', '1']), ('encrypted', []), ('plain', [])]
)
def test_a_classifier_trains_at_once_and_predicts(folders, tmp_path, capsys, kind, words):
    lines = init('classifier', folders / kind, tmp_path / 'my.py', *words)
    assert len(lines) < 40 and '16 pictures, 2 classes' in lines[0]
    said = capsys.readouterr().out.splitlines()
    assert said[-2] == f'    python tools/train.py {tmp_path}/my.py'
    assert said[-1] == f'    hii-mm predict work_dirs/my/epoch_1.pth {folders / kind}/val --out my-answers'
    checkpoint = train(tmp_path / 'my.py', tmp_path / 'work')
    found = hii_mm.predict(checkpoint, folders / kind / 'val')
    assert len(found) == 6 and set(found[0].classes) == {'bright', 'dark'}
    if words or kind == 'encrypted':
        again = hii_mm.predict(checkpoint, folders / 'encrypted' / 'val')
        np.testing.assert_allclose(sorted(again[0].scores), sorted(found[0].scores), atol=1e-3)


@pytest.mark.parametrize('kind, words', [('plain', ['--strategy', 'mixup']), ('encrypted', []), ('plain', [])])
def test_a_detector_trains_at_once_and_predicts(boxes, tmp_path, kind, words):
    lines = init('detector', boxes / kind, tmp_path / 'my.py', *words)
    assert len(lines) < 40 and "classes = ('face', 'flag')" in lines
    checkpoint = train(tmp_path / 'my.py', tmp_path / 'work')
    found = hii_mm.predict(checkpoint, boxes / kind / 'val')
    assert len(found) == 3 and all(each.frame == 'plain' and each.size == (96, 96) for each in found)


@pytest.mark.parametrize('kind, words', [('shuffled', []), ('plain', ['--gap', '4'])])
def test_a_detector_of_shuffled_pictures_finds_objects_for_the_owner(boxes, tmp_path, capsys, kind, words):
    lines = init('detector', boxes / kind, tmp_path / 'my.py', *words)
    assert len(lines) < 40 and any('PatchDetector' in line for line in lines)
    said = capsys.readouterr().out
    assert 'Boxes are fragments' in said and ('AP of the validation' in said) == (kind == 'shuffled')
    checkpoint = train(tmp_path / 'my.py', tmp_path / 'work')
    copy = boxes / kind / 'val'
    assert {each.frame for each in hii_mm.predict(checkpoint, copy, key=boxes / 'key')} == {'plain'}
    if kind == 'shuffled':
        (size,) = {each.size for each in hii_mm.predict(checkpoint, copy)}
        assert size == (36, 36)  # 6 x 6 patches of 16, mixed to 8, without a pixel on each side


@pytest.mark.parametrize('kind', ['plain', 'encrypted'])
def test_training_data_alone_are_enough(folders, tmp_path, capsys, kind):
    lines = init('classifier', folders / kind / 'train', tmp_path / 'my.py')
    assert not any(line.startswith('val_') for line in lines)
    assert 'nothing is validated' in capsys.readouterr().out
    checkpoint = train(tmp_path / 'my.py', tmp_path / 'work')
    assert len(hii_mm.predict(checkpoint, folders / kind / 'val')) == 6


def test_a_detector_without_validation_pictures_predicts(boxes, tmp_path):
    init('detector', boxes / 'encrypted' / 'train', tmp_path / 'my.py')
    checkpoint = train(tmp_path / 'my.py', tmp_path / 'work')
    assert len(hii_mm.predict(checkpoint, boxes / 'encrypted' / 'val')) == 3


def test_a_config_that_does_not_say_how_pictures_are_loaded_is_refused(folders, tmp_path):
    lines = init('classifier', folders / 'plain' / 'train', tmp_path / 'my.py')
    (tmp_path / 'my.py').write_text('\n'.join(lines).replace('test_pipeline', 'pipeline_of_tests'))
    checkpoint = train(tmp_path / 'my.py', tmp_path / 'work')
    with pytest.raises(CheckpointError, match='no test_dataloader, no val_dataloader and no test_pipeline'):
        hii_mm.predict(checkpoint, folders / 'plain' / 'val')


def test_nothing_is_overwritten_and_wrong_arguments_take_a_line(folders, boxes, tmp_path, capsys):
    (tmp_path / 'my.py').write_text('mine')
    base = ['init', 'classifier', '--data', str(folders / 'plain')]
    for words, why in (
        ([*base, '--out', str(tmp_path / 'my.py')], '--force overwrites it'),
        ([*base, '--out', str(tmp_path / 'my.txt')], 'must be a Python file'),
        (['init', 'classifier', '--data', str(tmp_path / 'no'), '--out', 'x.py'], 'folder not found'),
        (
            ['init', 'classifier', '--data', str(folders / 'encrypted'), '--gap', '2', '--out', 'x.py'],
            'is encrypted with RS p 8',
        ),
        (['init', 'detector', '--data', str(boxes / 'plain'), '--orient', '--out', 'x.py'], 'encrypt a copy with'),
        (
            ['init', 'classifier', '--data', str(folders / 'encrypted'), '--size', '32', '--out', 'x.py'],
            'would tear its patches',
        ),
        (['init', 'detector', '--data', str(folders / 'plain'), '--out', 'x.py'], 'expected one COCO file'),
    ):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert why in said and said.count('\n') == 1
    assert (tmp_path / 'my.py').read_text() == 'mine'


def test_data_that_do_not_go_together_are_refused(folders, tmp_path, photo):
    with pytest.raises(SourceError, match='one folder for each of two or more classes'):
        look(folders / 'plain' / 'train' / 'dark', 'classifier')
    mixed = tmp_path / 'mixed'
    mixed.mkdir()
    (mixed / 'train').symlink_to(folders / 'encrypted' / 'train')
    (mixed / 'val').symlink_to(folders / 'plain' / 'val')
    with pytest.raises(UsageError, match='train is encrypted with RS p 8, gap 1, but .*val is plain'):
        look(mixed, 'classifier')
    sizes = tmp_path / 'sizes'
    for name, side in (('a', 64), ('b', 80)):
        (sizes / name).mkdir(parents=True)
        Image.fromarray(photo[:side, :64]).save(sizes / name / '0.png')
    hii_mm.write_new_key(tmp_path / 'key')
    hii_mm.encrypt(sizes, tmp_path / 'copy', scheme=RS, key=tmp_path / 'key')
    with pytest.raises(UsageError, match='have 2 sizes .48 x 48, 60 x 48 ...., and a batch needs one'):
        write_config(look(tmp_path / 'copy', 'classifier'), 'classifier')


@pytest.mark.parametrize('scheme, steps', [('light', 1), ('mixed-v1', 2), (RS, 0)])
def test_a_preset_is_written_by_its_name(folders, tmp_path, scheme, steps):
    scheme = scheme if isinstance(scheme, Scheme) else Scheme.preset(scheme)
    text = write_config(look(folders / 'plain', 'classifier'), 'classifier', scheme)
    pipeline = Config.fromstring(text, '.py').train_pipeline
    assert sum('preset' in step for step in pipeline) == steps
    assert text.count('-v1') == 2 * steps + (steps > 0)  # in both pipelines, and in the first line
    assert Scheme.from_config(pipeline) == scheme


def test_the_scheme_of_a_copy_is_that_of_its_manifest(folders, tmp_path, capsys):
    hii_mm.encrypt(folders / 'plain' / 'train', tmp_path / 'copy', scheme=Scheme.preset('light'), key=folders / 'key')
    lines = init('classifier', tmp_path / 'copy', tmp_path / 'my.py')
    assert lines[0].startswith('# 16 pictures, 2 classes, encrypted with RS p 16, gap 2, noise 16 (preset light-v1).')
    cfg = Config.fromfile(tmp_path / 'my.py')
    assert (cfg.model.backbone.type, cfg.model.backbone.patch_size) == ('PEViT', 12)
    assert not any('Patch' in step['type'] for step in cfg.train_pipeline)


def test_one_copy_may_hold_training_and_validation(folders, tmp_path):
    """Its manifest lies above both: nothing in them says that they are encrypted."""
    hii_mm.encrypt(folders / 'plain', tmp_path / 'copy', scheme=RS, key=folders / 'key')
    data = look(tmp_path / 'copy', 'classifier')
    assert (data.train.scheme, data.val.scheme) == (RS, RS)
    apart = folders / 'encrypted' / 'train'
    assert scheme_of_copy(str(tmp_path / 'copy' / 'val')) == scheme_of_copy(str(apart)) is not None
    assert scheme_of_copy(str(folders / 'plain' / 'train')) is None
