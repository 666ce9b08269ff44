"""The zoo agrees with its configs, logs and weights, and its check finds what does not."""

import json
import re
import sys
from collections import Counter

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from helpers import ROOT

sys.path.insert(0, str(ROOT / 'tools'))

import zoo_check  # noqa: E402
import zoo_rows  # noqa: E402
import zoo_speed  # noqa: E402
import zoo_spot  # noqa: E402
import zoo_table  # noqa: E402

from hii_mm import Scheme, compat  # noqa: E402
from hii_mm.errors import UsageError  # noqa: E402
from hii_mm.named import NAMED  # noqa: E402

compat.prepare()
PEVIT = 'pevit-mini-p4_1xb128-rs-20e_fashion-mnist'
WEIGHTS = f'zoo/weights/{PEVIT}.pth'
LOG = f'zoo/logs/{PEVIT}.jsonl'
METAFILE = 'configs/pevit/metafile.yml'


def test_the_zoo_has_no_problem_and_its_table_is_current():
    rows = zoo_rows.read_rows()
    assert list(zoo_check.problems(rows)) == []
    assert {row.collection for row in rows} == {'ViT', 'PEViT', 'YOLOS', 'PEYOLOS', 'PatchDetector', 'Presets'}
    table = zoo_table.table_rows(rows)
    assert table == json.loads((ROOT / 'docs/data/zoo.json').read_text())['rows']
    times = {row['name']: row.get('time', '') for row in table}
    assert all(times[name].endswith(f'; {speed} images a CPU second') for name, speed in zoo_speed.read().items())


def test_a_row_of_a_preset_names_what_the_preset_does():
    rows = [row for row in zoo_rows.read_rows() if row.collection == 'Presets']
    assert len(rows) == 17
    for row in rows:
        (name,) = (name for name in NAMED if f'-{name}-' in row.name)
        assert row.metadata['Protection'] == Scheme.preset(name).label


def edited(**changes):
    """Return a damage: other values in the entry of PEViT-mini; None removes a field."""

    def damage(root):
        content = yaml.safe_load((root / METAFILE).read_text())
        entry = next(model for model in content['Models'] if model['Name'] == PEVIT)
        for name, value in changes.items():
            place = entry if name in entry else entry['Metadata']
            place[name] = value
        (root / METAFILE).write_text(yaml.safe_dump(content))

    return damage


def test_the_copy_has_no_problem_before_it_is_damaged(copy):
    edited()(copy)
    assert list(zoo_check.problems(zoo_rows.read_rows(copy), copy)) == []


@pytest.mark.parametrize(
    'damage, said',
    [
        (edited(Results=[{'Dataset': 'x', 'Metrics': {'Top 1 Accuracy': 82.0}}]), 'figures are .*82.0.*the log says'),
        (edited(Machine='a larger one'), "machine is 'a larger one', the log says"),
        (edited(Epochs=21), 'epochs is 21, the log says 20'),
        (edited(Status='config only'), "so its Status must be 'measured'"),
        (edited(Status='good'), "Status must be .*, got 'good'"),
        (edited(Name='pevit-mini'), "'pevit-mini' is neither the stem"),
        (edited(Name='pevit-mini-p4_1xb128-rs-20e_digits'), 'pevit-mini-p4_1xb128-rs-20e_digits: 2 rows of this name'),
        (edited(Config='configs/pevit/none.py'), 'file not found: configs/pevit/none.py'),
        (lambda root: (root / LOG).unlink(), 'log .* cannot be read'),
        (lambda root: (root / LOG).write_text('{}\n'), 'does not begin with a head'),
        (lambda root: (root / WEIGHTS).unlink(), f'{WEIGHTS}: file not found'),
        (lambda root: (root / WEIGHTS).write_bytes(b'x'), f'{WEIGHTS}: its SHA-256 is not that of'),
        (lambda root: (root / 'zoo/weights/more.pth').write_bytes(b'x'), 'more.pth: not in zoo/SHA256SUMS'),
        (lambda root: (root / 'zoo/SHA256SUMS').unlink(), f'{WEIGHTS}: not in zoo/SHA256SUMS'),
        (lambda root: (root / 'configs/pevit/new.py').touch(), 'configs/pevit/new.py: no row'),
    ],
)
def test_a_fault_is_found(copy, damage, said):
    damage(copy)
    found = list(zoo_check.problems(zoo_rows.read_rows(copy), copy))
    assert any(re.search(said, line) for line in found), found


def test_a_missing_metafile_takes_a_sentence(copy):
    (copy / METAFILE).unlink()
    with pytest.raises(UsageError, match='model index cannot be read'):
        zoo_rows.read_rows(copy)


def test_the_weights_name_the_images_and_others_do_not(copy):
    row = zoo_rows.find_row(zoo_rows.read_rows(), PEVIT)
    assert list(zoo_spot.spot_problems(row)) == []
    saved = torch.load(copy / WEIGHTS, weights_only=True)
    assert 'optimizer' not in saved and saved['meta']['hii_mm_scheme'][0]['type'] == 'PatchShuffle'
    saved['state_dict'] = {k: v.roll(1, 0) if k.startswith('head.') else v for k, v in saved['state_dict'].items()}
    saved['meta']['hii_mm_scheme'][0]['gap'] = 1
    torch.save(saved, copy / WEIGHTS)
    found = list(zoo_spot.spot_problems(row, copy))
    assert "the weights say 'RS p 4, gap 1'" in found[0]
    saved['meta']['hii_mm_scheme'][0]['gap'] = 0
    torch.save(saved, copy / WEIGHTS)
    (found,) = zoo_spot.spot_problems(row, copy)
    assert re.match(r'top-1 is \d\.\d on 200 test images; 74.\d to 88.\d were expected of 81.40', found)
    spot = zoo_spot.SPOTS['Fashion-MNIST']
    (copy / spot).unlink()
    assert list(zoo_spot.spot_problems(row, copy)) == [f'not checked: {spot} is not here']


def test_the_spot_images_are_the_first_of_the_test_images():
    path = ROOT / 'data/fashion-mnist/t10k-images-idx3-ubyte'
    images, labels = zoo_spot.spot_images(ROOT / zoo_spot.SPOTS['Fashion-MNIST'])
    assert images.shape == (200, 28, 28) and set(labels) == set(range(10))
    if path.is_file():
        assert images.tobytes() == path.read_bytes()[16 : 16 + 200 * 784]


def test_the_spot_scenes_are_validation_images():
    images, labels = zoo_spot.spot_images(ROOT / zoo_spot.SPOTS['FashionScene'])
    assert images.shape == (200, 128, 128, 3) and Counter(labels) == dict.fromkeys(range(10), 20)
    folders = sorted((ROOT / 'data/fashion-scene/val').glob('*'))
    for k in range(0, len(folders) * 20, 20):  # the first of each class
        plain = np.asarray(Image.open(sorted(folders[labels[k]].glob('*.png'))[0]).convert('RGB'))[..., ::-1]
        assert np.abs(plain.astype(float) - images[k]).mean() < 6


def test_mmpretrain_lists_every_row_and_loads_the_weights():
    import mmpretrain

    import hii_mm.register  # noqa: F401

    names = set(mmpretrain.list_models())
    assert {row.name for row in zoo_rows.read_rows()} <= names
    assert PEVIT in mmpretrain.list_models('*pevit*')
    model = mmpretrain.get_model(PEVIT, pretrained=True)
    saved = torch.load(ROOT / WEIGHTS, weights_only=True)['state_dict']
    assert all(torch.equal(value, saved[name]) for name, value in model.state_dict().items())
