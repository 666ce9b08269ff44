"""``hii-mm doctor``: check the installation and say what to do."""

from __future__ import annotations

import argparse
import importlib
import platform
from collections.abc import Iterator
from importlib import metadata
from typing import Any, NamedTuple

from .. import compat
from ..errors import StackError
from ..version import __version__
from . import console

SCOPES = {'root': 'mmengine', 'mmdet': 'mmdet', 'mmpretrain': 'mmpretrain'}
MARKS = {True: 'ok  ', False: 'FAIL', None: 'note'}


class Finding(NamedTuple):
    """One line of the answer.

    Attributes:
        good: True, False for a failure, or None for neither.
        subject: what was checked.
        found: the result.
        advice: what to do, or ''.
    """

    good: bool | None
    subject: str
    found: str
    advice: str = ''


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: none."""
    parser.description = (
        'Check what is installed and whether the names of hii_mm resolve in mm configs. '
        'Exit codes: 0 no problem, 1 a problem, with advice.'
    )


def run(args: argparse.Namespace) -> int:
    """Print the findings; return 1 if one of them is a failure."""
    failures = 0
    for finding in findings():
        failures += finding.good is False
        print(f'{MARKS[finding.good]}  {finding.subject:14} {finding.found}')
        if finding.advice:
            print(f'      -> {finding.advice}')
    print(f'\n{console.plural(failures, "problem")} found' if failures else '\nNo problems found')
    return 1 if failures else 0


def findings() -> Iterator[Finding]:
    """Yield all findings, as they are made; imports take seconds."""
    yield Finding(True, 'hii_mm', f'{__version__}, Python {platform.python_version()}')
    try:
        stack, packages = compat.find_stack()
    except StackError as error:
        yield Finding(False, 'stack', str(error))
        yield Finding(None, 'owner', 'hii-mm keygen, encrypt, verify, decrypt and preview need none of this')
        return
    yield Finding(True, 'stack', f'{stack}: {_listed(packages)}')
    torch = list(check_torch())
    yield from torch
    if all(finding.good is not False for finding in torch):
        yield from check_registration(f'{compat.INSTALL.format(stack)}; if that does not help, in a new environment')


def check_torch() -> Iterator[Finding]:
    """Check that torch and torchvision are installed and match, and look for a GPU."""
    versions = {}
    for name in ('torch', 'torchvision'):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(False, name, 'not installed', f'pip install {name}')
            return
    try:
        import torch
        import torchvision  # noqa: F401  its import fails where the two do not match
    except Exception as error:  # broken installations raise almost anything
        found = f'{_listed(versions)} cannot be imported: {error}'
        yield Finding(False, 'torch', found, 'install versions of torch and torchvision that match')
        return
    yield Finding(True, 'torch', _listed(versions))
    if torch.cuda.is_available():
        names = ', '.join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        yield Finding(True, 'GPU', f'{names} (CUDA {torch.version.cuda})')
    else:
        yield Finding(None, 'GPU', 'none found: everything runs on the CPU')


def check_registration(reinstall: str) -> Iterator[Finding]:
    """Check the mmcv ops and, for each scope, whether the names of hii_mm resolve.

    Args:
        reinstall: advice where something cannot be imported.
    """
    try:
        compat.prepare()
        from .. import register, registry  # noqa: F401

        names = registry.registered_names()
    except Exception as error:  # other packages are imported here, and fail in many ways
        yield Finding(False, 'hii_mm', f'cannot be registered: {type(error).__name__}: {error}', reinstall)
        return
    if compat.ops_kind() == 'compiled':
        yield Finding(True, 'mmcv ops', 'compiled')
    else:
        yield Finding(None, 'mmcv ops', 'stand-in: mmcv was installed without compiled ops; hii_mm needs none')
    for scope, package in SCOPES.items():
        yield from check_scope(scope, package, names, reinstall)


def check_scope(scope: str, package: str, names: dict[Any, list[str]], reinstall: str) -> Iterator[Finding]:
    """Check that names resolve in one scope to what hii_mm registered.

    Args:
        scope: mmengine's name of it.
        package: the package that owns it.
        names: the names of hii_mm by registry.
        reinstall: advice where the package cannot be imported.
    """
    try:
        host = importlib.import_module(f'{package}.registry')
        importlib.import_module(f'{package}.models' if scope != 'root' else package)
    except ImportError as error:
        yield Finding(False, scope, f'{package} cannot be imported: {error}', reinstall)
        return
    resolved: list[str] = []
    wrong: list[str] = []
    for registry, ours in names.items():
        attribute = {'batch augment': 'BATCH_AUGMENTS'}.get(registry.name, f'{registry.name.upper()}S')
        lookup: Any = getattr(host, attribute, None)
        for name in ours if lookup is not None else ():
            found = [lookup.get(key) for key in (name, f'hii_mm.{name}')]
            (resolved if found == [registry.get(name)] * 2 else wrong).append(name)
    if wrong:
        advice = 'another installed package uses these names: uninstall it, or write hii_mm.NAME in configs'
        yield Finding(False, scope, f'{", ".join(wrong)}: not found, or something else is found', advice)
    if resolved:
        yield Finding(True, scope, f'resolves {", ".join(resolved)}')


def _listed(versions: dict[str, str]) -> str:
    return ', '.join(f'{name} {version}' for name, version in versions.items())
