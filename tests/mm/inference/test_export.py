"""Models as one file, without mm packages."""

import json
import subprocess
import sys

import numpy as np
import pytest

from helpers import ROOT
from hii_mm.errors import CheckpointError, InvalidValueError
from hii_mm.inference import export as exporting
from hii_mm.inference.api import predict

pytest.importorskip('onnxruntime')
NAMES = ('pevit', 'mixed-vit', 'peyolos', 'yolos')


@pytest.fixture(scope='module')
def exported(checkpoints, tmp_path_factory):
    """{name: path} of ONNX files; each was compared with PyTorch on two sizes."""
    folder = tmp_path_factory.mktemp('exported')
    for name in NAMES:
        difference = exporting.export(checkpoints[name], folder / f'{name}.onnx')
        assert difference <= exporting.TOLERANCE
    return {name: folder / f'{name}.onnx' for name in NAMES}


@pytest.mark.parametrize('name, source', [('pevit', 'rs4'), ('peyolos', 'mi'), ('yolos', None), ('pevit', None)])
def test_an_exported_model_answers_as_its_checkpoint(exported, checkpoints, photos, copies, name, source):
    inputs = photos if source is None else copies / source
    ours, theirs = predict(exported[name], inputs, batch_size=2), predict(checkpoints[name], inputs, batch_size=2)
    for a, b in zip(ours, theirs):
        assert (a.name, a.frame, a.size, list(a.classes)) == (b.name, b.frame, b.size, list(b.classes))
        if a.boxes is None:
            np.testing.assert_allclose(a.scores, b.scores, atol=2e-3)
        else:
            best = [np.abs(b.boxes - box).max(axis=1).min() for box in a.boxes]
            assert max(best) < 0.2  # pixels; mm may return a box under several labels


def test_torchscript_is_compared_too(checkpoints, tmp_path):
    assert exporting.export(checkpoints['peyolos'], tmp_path / 'model.pt', 'torchscript') <= exporting.TOLERANCE


def test_it_runs_without_torch_and_mm(exported, copies):
    program = (
        'import sys\n'
        "for name in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain'): sys.modules[name] = None\n"
        'import hii_mm\n'
        f'found = hii_mm.predict({str(exported["peyolos"])!r}, {str(copies / "mi")!r})\n'
        'print(len(found), found[0].frame)\n'
    )
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ['3', 'plain'], done.stderr[-2000:]


def test_pictures_of_another_scheme_are_refused(exported, copies):
    with pytest.raises(InvalidValueError, match='encrypted with RS p 16, gap 0, but this model reads MI p 16, grid 2'):
        predict(exported['peyolos'], copies / 'rs16')


def test_nothing_is_written_if_the_result_differs(checkpoints, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, '_difference', lambda *args: float('nan'))
    with pytest.raises(InvalidValueError, match='differs from PyTorch by nan'):
        exporting.export(checkpoints['pevit'], tmp_path / 'model.pt', 'torchscript')
    assert not list(tmp_path.iterdir())


def test_foreign_files_are_named(tmp_path, photos):
    onnx = pytest.importorskip('onnx')
    (tmp_path / 'text.onnx').write_text('no model')
    value = onnx.helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node('Identity', ['x'], ['y'])],
        'g',
        [value],
        [onnx.helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, [1])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 18)], ir_version=8)
    onnx.save(model, str(tmp_path / 'other.onnx'))
    entry = model.metadata_props.add()
    entry.key, entry.value = 'hii_mm', json.dumps({'format': 'hii-mm model', 'version': 9})
    onnx.save(model, str(tmp_path / 'later.onnx'))
    for name, why in (
        ('text', 'not an ONNX model'),
        ('other', 'says nothing of its scheme'),
        ('later', 'got .* version 9'),
    ):
        with pytest.raises(CheckpointError, match=why):
            predict(tmp_path / f'{name}.onnx', photos)


def test_the_tool_says_what_is_wrong(call, checkpoints, tmp_path):
    config = ROOT / 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py'
    done = call('tools/deploy/export.py', config, tmp_path / 'none.pth', code=2)
    assert 'export: checkpoint not found' in done.stderr
    done = call('tools/deploy/export.py', config, checkpoints['pevit'], '--out', tmp_path / 'm.onnx')
    assert 'from PyTorch' in done.stdout and (tmp_path / 'm.onnx').is_file()
