"""Predictions that know plain pictures from encrypted ones."""

import json
import os

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

import hii_mm
from helpers import ROOT
from hii_mm.cli.main import main
from hii_mm.errors import CannotDecryptError, CheckpointError, InvalidTypeError, InvalidValueError, SourceError
from hii_mm.inference import api
from hii_mm.inference.api import predict
from hii_mm.inference.checkpoints import config_of
from hii_mm.inference.classifier import HIIClassifier
from hii_mm.training.checkpoints import SCHEME, steps_as_config


def by_name(predictions):
    """{name without extension: prediction}."""
    return {os.path.splitext(found.name)[0]: found for found in predictions}


def test_a_classifier_answers_alike_for_plain_and_for_encrypted_pictures(checkpoints, photos, copies):
    plain = by_name(predict(checkpoints['pevit'], photos, seed=1))
    again = by_name(predict(checkpoints['pevit'], photos, seed=2))
    encrypted = by_name(predict(checkpoints['pevit'], copies / 'rs4'))
    assert set(plain) == {'a', 'b', 'below/c'} == set(encrypted)
    for name, found in plain.items():
        assert found.frame == 'plain' and encrypted[name].frame == 'encrypted'
        assert found.labels[0] == again[name].labels[0]
        for other in (again[name], encrypted[name]):
            order = np.argsort(found.labels), np.argsort(other.labels)
            np.testing.assert_allclose(found.scores[order[0]], other.scores[order[1]], atol=1e-4)
    assert not np.allclose(plain['a'].scores, plain['b'].scores, atol=1e-3)  # so that the test can fail


def test_mixed_pictures_give_boxes_in_the_plain_frame(checkpoints, photos, copies):
    plain, mixed = (by_name(predict(checkpoints['peyolos'], source)) for source in (photos, copies / 'mi'))
    for name, found in plain.items():
        assert found.frame == mixed[name].frame == 'plain' and mixed[name].size == (128, 128)
        np.testing.assert_allclose(found.boxes, mixed[name].boxes, atol=0.05)
        np.testing.assert_allclose(found.scores, mixed[name].scores, atol=1e-3)


def test_each_kind_of_input_gives_the_same_answer(checkpoints, photos):
    path = photos / 'a.png'
    with Image.open(path) as image:
        array, pillow = np.asarray(image), image.copy()
    kinds = [
        path,
        str(path),
        array,
        pillow,
        path.read_bytes(),
        [path],
        str(photos / 'a*'),
        array[None],
        (each for each in [path]),
    ]
    answers = [predict(checkpoints['peyolos'], kind) for kind in kinds]
    assert all(len(found) == 1 for found in answers)
    for found in answers[1:]:
        np.testing.assert_allclose(found[0].boxes, answers[0][0].boxes, atol=1e-3)
    assert [found.name for found in predict(checkpoints['pevit'], [photos, array])] == [
        'a.png',
        'b.png',
        'below/c.png',
        'array 0',
    ]


def test_the_size_of_a_batch_changes_no_answer(checkpoints, photos, photo):
    inputs = [photos, photo[:256, :128]]
    one, many = (predict(checkpoints['peyolos'], inputs, batch_size=size) for size in (1, 4))
    for a, b in zip(one, many):
        np.testing.assert_allclose(a.boxes, b.boxes, atol=1e-2)


@pytest.mark.parametrize(
    'model, copy, why',
    [
        ('peyolos', 'rs16', r'a.png is encrypted with RS p 16, gap 0, but this model reads MI p 16, grid 2'),
        ('pevit', 'rs16', r'encrypted with RS p 16, gap 0, but this model reads RS p 4, gap 0'),
        ('yolos', 'rs16', r'encrypted \(RS p 16, gap 0\), but this model was trained on plain pictures'),
    ],
)
def test_pictures_of_another_scheme_are_refused(checkpoints, copies, model, copy, why):
    with pytest.raises(InvalidValueError, match=why):
        predict(checkpoints[model], copies / copy)
    with pytest.raises(InvalidValueError, match=why):
        predict(checkpoints[model], copies / copy / 'a.png')  # its manifest is found beside it


def test_pictures_of_another_scheme_than_the_checkpoint_names_are_refused_before_the_model_is_built(
    checkpoints, copies, tmp_path, monkeypatch
):
    content = torch.load(checkpoints['pevit'], weights_only=True)
    content['meta'][SCHEME] = steps_as_config(hii_mm.Scheme(4))
    torch.save(content, tmp_path / 'named.pth')
    assert len(predict(tmp_path / 'named.pth', copies / 'rs4')) == 3
    monkeypatch.setattr(api, 'load', lambda *given: pytest.fail('the model was built'))
    for found in (copies / 'rs16', [copies / 'rs4', copies / 'rs16' / 'a.png']):
        with pytest.raises(InvalidValueError, match='a.png is encrypted with RS p 16, gap 0, but this model reads RS'):
            predict(tmp_path / 'named.pth', found)


def test_an_encrypted_picture_is_never_taken_for_a_plain_one(checkpoints, copies):
    with pytest.raises(InvalidValueError, match='is an encrypted copy'):
        predict(checkpoints['pevit'], copies / 'rs4' / 'a.png', encrypted=False)
    with Image.open(copies / 'rs4' / 'a.png') as image:
        array = np.asarray(image)
    told, known = (
        predict(checkpoints['pevit'], array, encrypted=True),
        predict(checkpoints['pevit'], copies / 'rs4' / 'a.png'),
    )
    np.testing.assert_array_equal(told[0].labels, known[0].labels)


def test_the_key_of_another_copy_is_refused(checkpoints, copies, tmp_path):
    hii_mm.write_new_key(tmp_path / 'other')
    with pytest.raises(CannotDecryptError, match='was made with key'):
        predict(checkpoints['pevit'], copies / 'rs4', key=tmp_path / 'other')


@pytest.mark.parametrize(
    'inputs, error, why',
    [
        ('nothing-here', SourceError, "no such file, folder or pattern: 'nothing-here'"),
        (3, InvalidTypeError, 'got int'),
        (np.zeros((8, 8), np.float32), InvalidTypeError, 'uint8 or uint16, got float32'),
        (np.zeros((0, 8), np.uint8), InvalidValueError, 'empty'),
    ],
)
def test_inputs_that_are_no_pictures_are_named(checkpoints, inputs, error, why):
    with pytest.raises(error, match=why):
        predict(checkpoints['pevit'], inputs)


def test_boxes_of_a_shuffled_detector_come_back_to_the_plain_frame(checkpoints, photos, copies, tmp_path):
    """Of a config that shuffles: boxes are where their pixels came from."""
    cfg = Config.fromfile(ROOT / 'configs/yolos/yolos-mini_1xb32-50e_fashion-det.py')
    steps = cfg.test_dataloader.dataset.pipeline
    steps.insert(len(steps) - 1, dict(type='PatchShuffle', patch_size=16))
    steps[:] = [step for step in steps if step['type'] != 'LoadAnnotations']
    content = torch.load(checkpoints['yolos'], weights_only=True)
    cfg.train_dataloader.dataset.pipeline = steps
    content['meta']['cfg'] = cfg.pretty_text
    torch.save(content, tmp_path / 'shuffled.pth')
    with_key = by_name(predict(tmp_path / 'shuffled.pth', copies / 'rs16', key=copies / 'key'))
    without = by_name(predict(tmp_path / 'shuffled.pth', copies / 'rs16'))
    plain = by_name(predict(tmp_path / 'shuffled.pth', photos))
    for name, found in with_key.items():
        assert (found.frame, without[name].frame, plain[name].frame) == ('plain', 'encrypted', 'plain')
        plan = hii_mm.Scheme(16).plan(
            (128, 128),
            key=hii_mm.read_key(copies / 'key'),
            image_id=name,
            dataset_id=hii_mm.Manifest(copies / 'rs16').dataset_id,
        )
        expected, source = plan.locate_boxes(without[name].boxes)
        order = np.lexsort(expected.T)
        np.testing.assert_allclose(found.boxes[np.lexsort(found.boxes.T)], expected[order], atol=1e-3)


class TestCommand:
    """``hii-mm predict``."""

    def test_answers_and_drawings_are_written(self, checkpoints, photos, copies, tmp_path, capsys):
        words = ['predict', str(checkpoints['peyolos']), str(copies / 'mi'), '--out', str(tmp_path), '--quiet']
        for form, name in (('json', 'predictions.json'), ('csv', 'predictions.csv'), ('coco', 'predictions.coco.json')):
            assert main([*words, '--format', form, '--top', '2']) == 0
            assert name in capsys.readouterr().out
        assert not (tmp_path / 'drawn').exists()  # nothing but answers, unless asked for
        entries = json.loads((tmp_path / 'predictions.json').read_text())
        coco = json.loads((tmp_path / 'predictions.coco.json').read_text())
        lines = (tmp_path / 'predictions.csv').read_text().splitlines()
        assert len(entries) == 3 and len(coco['annotations']) == 6 == len(lines) - 1
        x1, y1, x2, y2 = entries[0]['predictions'][0]['box']
        assert coco['annotations'][0]['bbox'] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=0.02)
        assert coco['categories'][0] == {'id': 1, 'name': 'class 0'}
        assert main([*words, '--draw', '--key', str(copies / 'key')]) == 0
        assert '3 of them show the plain picture' in capsys.readouterr().out
        with Image.open(tmp_path / 'drawn' / 'below' / 'c.png') as drawn:
            assert drawn.size == (128, 128)

    def test_wrong_arguments_are_answered_in_a_line(self, photos, tmp_path, capsys):
        (tmp_path / 'text.pth').write_text('no weights')
        torch.save(dict(a=1), tmp_path / 'other.pth')
        for model, why in (
            ('nowhere.pth', 'checkpoint not found'),
            ('text.pth', 'is not a checkpoint'),
            ('other.pth', 'it has no state_dict'),
        ):
            assert main(['predict', str(tmp_path / model), str(photos), '--out', str(tmp_path / 'out')]) == 2
            said = capsys.readouterr().err.strip()
            assert why in said and '\n' not in said
        assert not (tmp_path / 'out').exists()


@pytest.fixture
def other_configs(tmp_path):
    """Configs of PEViT without its own backbone: a plain ViT of the same size, and the reverse."""
    found = {}
    for name, file, backbone in (
        ('vit', 'pevit/pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py', 'VisionTransformer'),
        ('pevit', 'vit/vit-mini-p4_1xb128-mi-20e_fashion-mnist.py', 'PEViT'),
    ):
        cfg = Config.fromfile(ROOT / 'configs' / file)
        cfg.model.backbone.type = backbone
        found[name] = tmp_path / f'{name}.py'
        cfg.dump(found[name])
    return found


@pytest.mark.parametrize(
    'weights, config, why',
    [
        (
            'pevit',
            'vit',
            'VisionTransformer adds a position embedding .backbone.pos_embed., but the checkpoint has none',
        ),
        ('mixed-vit', 'pevit', 'the checkpoint holds a position embedding .backbone.pos_embed., but PEViT has none'),
    ],
)
def test_weights_of_a_model_with_other_positions_are_refused(checkpoints, photos, other_configs, weights, config, why):
    with pytest.raises(CheckpointError, match=why):
        predict(checkpoints[weights], photos, config=other_configs[config])
    with pytest.warns(UserWarning, match=why):
        HIIClassifier(str(other_configs[config]), str(checkpoints[weights]), strict=False)


def test_the_config_in_a_checkpoint_runs_no_code(tmp_path):
    for text in (
        "a = __import__('os').system('touch X')",
        'import os',
        "a = dict(b=open('x'))",
        'a = b',
        'f()',
        'a.b = 1',
    ):
        with pytest.raises(CheckpointError, match='not plain values'):
            config_of({'cfg': text}, 'x.pth')
    for file in sorted((ROOT / 'configs').glob('*/*mini*fashion-[md]*.py')):
        cfg = Config.fromfile(file)
        assert config_of({'cfg': cfg.pretty_text}, 'x.pth').to_dict() == cfg.to_dict(), file
    with pytest.raises(CheckpointError, match='holds no config'):
        config_of({}, 'x.pth')
