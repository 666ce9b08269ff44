"""The wheel of this checkout, and an environment that has it installed."""

import subprocess
import sys
from pathlib import Path

from helpers import ROOT

LEFT_OVERS = ('build/lib/hii_mm/.mim', 'hii_mm/.mim', 'work_dirs/digits')


def source(folder):
    """Copy the files of the checkout to ``folder``, with what earlier builds and runs may have left there."""
    listed = ['git', 'ls-files', '-co', '--exclude-standard']
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    for name in LEFT_OVERS:
        (folder / name).mkdir(parents=True)
        (folder / name / 'left_over.py').write_text('raise RuntimeError')
    return folder


def build(checkout, out):
    """Build the wheel as pip does, with the setuptools that are installed; return its path."""
    code = f'from setuptools import build_meta; build_meta.build_wheel({str(out)!r})'
    subprocess.run([sys.executable, '-c', code], cwd=checkout, check=True, capture_output=True, text=True)
    return next(out.glob('*.whl'))


def environment(folder):
    """Make an environment that sees the packages of this one, but for its editable hii_mm; return Python's path."""
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', folder], check=True)
    site = Path(folder, 'lib', f'python{sys.version_info.major}.{sys.version_info.minor}', 'site-packages')
    (site / 'stack.pth').write_text('\n'.join(path for path in sys.path if path.endswith('site-packages')))
    return folder / 'bin' / 'python'


def install(python, *what):
    """Install a wheel, or ``-e`` and a checkout, without network."""
    pip = [sys.executable, '-m', 'pip', '-q', '--python', python, 'install', '--no-deps', '--no-index']
    subprocess.run([*pip, '--no-build-isolation', *what], check=True, capture_output=True, text=True)
