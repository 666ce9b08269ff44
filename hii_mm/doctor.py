"""``hii-mm doctor``: is this environment set up, and what to do if not."""

import importlib
import platform
from importlib import metadata

from . import __version__, compat

SCOPES = {'root': 'mmengine', 'mmdet': 'mmdet', 'mmpretrain': 'mmpretrain'}


def add_command(commands):
    """Add ``doctor`` to the sub-commands."""
    parser = commands.add_parser(
        'doctor',
        help='check the mm packages, ops, GPU and our names',
        description='Check what is installed, whether our names resolve, and say what to do. Exit code 1 on a failure.',
    )
    parser.set_defaults(run=run)


class Report:
    """Prints one line a finding and counts the failures."""

    def __init__(self):
        self.failures = 0

    def line(self, good, what, found, advice=''):
        """Print a finding; ``good`` None means neither good nor bad."""
        self.failures += good is False
        mark = {True: 'ok  ', False: 'FAIL', None: 'note'}[good]
        print(f'{mark}  {what:14} {found}' + (f'\n      -> {advice}' if advice else ''))


def run(args):
    """Print the findings; 0 if all is well, else 1."""
    report = Report()
    report.line(True, 'hii_mm', f'{__version__}, Python {platform.python_version()}')
    try:
        stack, packages = compat.find_stack()
    except compat.StackError as error:
        report.line(False, 'stack', str(error))
        report.line(None, 'owner', 'hii-mm keygen, encrypt, verify, decrypt and preview need none of this')
    else:
        report.line(True, 'stack', f'{stack}: ' + ', '.join(f'{name} {version}' for name, version in packages.items()))
        if _torch(report):
            _host(report)
    print(f'\n{report.failures} failed' if report.failures else '\nall is well')
    return 1 if report.failures else 0


def _torch(report):
    versions = {}
    for name in ('torch', 'torchvision'):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            report.line(False, name, 'not installed', f'pip install {name}')
            return False
    try:
        import torch
        import torchvision  # noqa: F401  its import fails where the two do not match
    except Exception as error:
        found = ', '.join(f'{name} {version}' for name, version in versions.items())
        report.line(False, 'torch', f'{found} cannot be imported: {error}', 'install versions that match each other')
        return False
    report.line(True, 'torch', ', '.join(f'{name} {version}' for name, version in versions.items()))
    if torch.cuda.is_available():
        names = ', '.join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        report.line(True, 'GPU', f'{names} (CUDA {torch.version.cuda})')
    else:
        report.line(None, 'GPU', 'none found: everything runs on the CPU')
    return True


def _host(report):
    """Check the ops and, for each scope, whether each of our names resolves."""
    try:
        compat.prepare()
        from . import register, registry  # noqa: F401

        names = registry.registered_names()
    except Exception as error:
        report.line(False, 'hii_mm', f'cannot be registered: {type(error).__name__}: {error}', _reinstall())
        return
    if compat.ops_kind() == 'compiled':
        report.line(True, 'mmcv ops', 'compiled')
    else:
        report.line(None, 'mmcv ops', 'stand-in: mmcv was installed without compiled ops; hii_mm needs none')
    for scope, package in SCOPES.items():
        _scope(report, scope, package, names)


def _scope(report, scope, package, names):
    try:
        host = importlib.import_module(f'{package}.registry')
        importlib.import_module(f'{package}.models' if scope != 'root' else package)
    except ImportError as error:
        report.line(False, scope, f'{package} cannot be imported: {error}', _reinstall())
        return
    wrong, resolved = [], []
    for registry, ours in names.items():
        attribute = {'batch augment': 'BATCH_AUGMENTS'}.get(registry.name, f'{registry.name.upper()}S')
        lookup = getattr(host, attribute, None)
        if lookup is None:
            continue
        for name in ours:
            found = [lookup.get(key) for key in (name, f'hii_mm.{name}')]
            (resolved if found == [registry.get(name)] * 2 else wrong).append(name)
    if wrong:
        report.line(
            False,
            scope,
            f'{", ".join(wrong)} does not resolve, or to something else',
            'another installed package uses that name: uninstall it, or write hii_mm.NAME in configs',
        )
    if resolved:
        report.line(True, scope, 'resolves ' + ', '.join(resolved))


def _reinstall():
    return f'{compat.INSTALL.format(compat.find_stack()[0])}; if that does not help, in a new environment'
