"""MkDocs hooks: add configs/, zoo/ and CHANGELOG.md to the site, with links that work on both.

Pages link to files of the repository by relative paths, such as
``../configs/pevit/README.md`` from ``docs/zoo.md``. On the site ``configs/``
stands inside the docs folder; the links are rewritten, and MkDocs then
validates them like all others.
"""

from __future__ import annotations

import os
import posixpath
import re
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOUNTED = {'configs': ('.md', '.py', '.yml'), 'zoo': ('.jsonl', '.json', '.pth'), 'CHANGELOG.md': ()}  # kinds of files
LINK = re.compile(r'(?P<before>\]\()(?P<target>[^)#:\s]+)(?P<after>[)#])')


def on_files(files: Files, config: Any) -> Files:
    """Add the mounted files of the repository."""
    for name, kinds in MOUNTED.items():
        path = os.path.join(ROOT, name)
        found = [path] if os.path.isfile(path) else [
            os.path.join(folder, file)
            for folder, _, names in os.walk(path)
            for file in names
            if file.endswith(kinds)
        ]  # fmt: skip
        for file in sorted(found):
            files.append(File.generated(config, os.path.relpath(file, ROOT).replace(os.sep, '/'), abs_src_path=file))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite links between docs/ and the mounted files."""
    return LINK.sub(
        lambda match: match['before'] + moved(match['target'], page.file.src_uri) + match['after'], markdown
    )


def moved(target: str, page: str) -> str:
    """Return a link of a page for the site.

    Args:
        target: relative path of a file of the repository.
        page: path of the page on the site.
    """
    is_mounted = page.split('/')[0] in MOUNTED
    source = page if is_mounted else f'docs/{page}'
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    path = path.removeprefix('docs/')
    return posixpath.relpath(path, posixpath.dirname(page) or '.')
