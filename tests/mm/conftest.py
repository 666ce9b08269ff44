"""Fixtures of the tests that need torch and the mm packages."""

import gc
import json
import runpy
import subprocess
import sys

import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from helpers import ROOT
from hii_mm import compat

compat.prepare()  # mmdet cannot be imported without mmcv's ops, or the stand-in
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'tools' / 'dataset_converters')]  # as for scripts started there


def pytest_collection_finish():
    """Take the imported packages out of garbage collection: mm collects for each data set, a second each time."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Mark everything here ``mm``."""
    for item in items:
        if '/tests/mm/' in str(item.path):
            item.add_marker('mm')


@pytest.fixture(autouse=True)
def own_scope():
    """Forget the scopes of runs: mmengine names runs by the second, and takes two of one second for one."""
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture
def call(monkeypatch, capfd):
    """Run a script as ``run`` does, but in this process, which has imported everything already."""

    def _call(script, *words, code=0):
        monkeypatch.setattr(sys, 'argv', [str(script), *map(str, words)])
        monkeypatch.chdir(ROOT)
        capfd.readouterr()
        said, status = '', 0
        try:
            runpy.run_path(str(ROOT / script), run_name='__main__')
        except SystemExit as end:
            said, status = (end.code, 1) if isinstance(end.code, str) else ('', end.code or 0)
        out, err = capfd.readouterr()
        assert status == code, f'exit code {status}\n{out}\n{err}\n{said}'
        return subprocess.CompletedProcess([script, *words], status, out, err + said)

    return _call


@pytest.fixture(scope='session')
def digits_root(tmp_path_factory):
    """A folder with scikit-learn's digits as idx files, real images for tests."""
    import fashion_mnist

    root = tmp_path_factory.mktemp('data')
    fashion_mnist.digits(root / 'digits')
    return root / 'digits'


@pytest.fixture(scope='session')
def coco(tmp_path_factory, photo):
    """Two crops of 96 x 120 with a person and a dog each, in COCO's layout: ``a.json`` and PNG files."""
    root = tmp_path_factory.mktemp('coco')
    images = [dict(id=i, file_name=f'{i}.png', height=96, width=120) for i in (1, 2)]
    boxes = [dict(image_id=i, category_id=c, bbox=[10 * c, 8, 30, 60]) for i in (1, 2) for c in (1, 3)]
    annotations = [dict(box, id=k, area=1800, iscrowd=0) for k, box in enumerate(boxes, 1)]
    categories = [dict(id=1, name='person'), dict(id=3, name='dog')]
    (root / 'a.json').write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    for image in images:
        Image.fromarray(photo[:96, 40 * image['id'] :][:, :120]).save(root / image['file_name'])
    return root
