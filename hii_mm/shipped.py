"""The tools and configs that the mm packages and hii_mm install in ``PACKAGE/.mim``. Imports none of them."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from .errors import UsageError

PACKAGES = ('hii_mm', 'mmdet', 'mmpretrain')  # those that messages list; others with a ``.mim`` work too
CONFIG = re.compile(r'(\w+)::(\S+\.py)')


def shipped(package: str, what: str) -> Path | None:
    """Return the folder 'tools' or 'configs' of an installed package, or None. The package is not imported.

    A package has it in ``.mim``; an editable hii_mm has it in the checkout.
    """
    spec = find_spec(package) if package.isidentifier() else None
    for place in (spec and spec.submodule_search_locations) or ():
        folders = [Path(place, '.mim', what)] + [Path(place).parent / what] * (package == 'hii_mm')
        found = next(filter(Path.is_dir, folders), None)
        if found:
            return found
    return None


def tools_of(package: str) -> list[str]:
    """Return the names of a package's tools, such as 'analysis_tools/get_flops'."""
    folder = shipped(package, 'tools')
    if folder is None:
        return []
    return sorted(path.relative_to(folder).with_suffix('').as_posix() for path in folder.rglob('*.py'))


def find_tool(name: str) -> Path:
    """Return the file of a tool.

    Args:
        name: path of a Python file, or ``PACKAGE/TOOL``: 'mmdet/test' or
            'mmdet/analysis_tools/get_flops'. The folders may be left out; of
            several tools of that name the one in the fewest folders is taken.

    Raises:
        UsageError: there is no such tool, or several; the message names those that exist.
    """
    if name.endswith('.py') and Path(name).is_file():
        return Path(name)
    package, _, tool = name.removesuffix('.py').partition('/')
    folder, names = shipped(package, 'tools'), tools_of(package)
    if folder is None:
        there = ', '.join(one for one in PACKAGES if shipped(one, 'tools'))
        raise UsageError(f'{name!r} is neither a Python file nor PACKAGE/TOOL; installed packages with tools: {there}')
    near = [one for one in names if f'/{one}'.endswith(f'/{tool}')] if tool else []
    least = min((one.count('/') for one in near), default=0)
    best = [one for one in near if one.count('/') == least]
    if len(best) != 1:
        raise UsageError(f'{package} has {"several tools" if best else "no tool"} {tool!r}: {", ".join(best or names)}')
    return folder / f'{best[0]}.py'


def find_config(word: str) -> str:
    """Return the path of a config that is written ``PACKAGE::FOLDER/NAME.py``; other words as they are.

    Raises:
        UsageError: an installed package without such a config.
    """
    match = CONFIG.fullmatch(word)
    folder = shipped(match[1], 'configs') if match else None
    if match is None or folder is None:
        return word
    if not (folder / match[2]).is_file():
        raise UsageError(f'{match[1]} has no config {match[2]!r}; its configs are in {folder}')
    return str(folder / match[2])
