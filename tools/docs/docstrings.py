"""Griffe extension: show doctests in docstrings as code, and Sphinx roles as plain names."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension

DOCTEST = re.compile(r'^(?P<indent> *)>>> .*\n(?:.+\n?)*', re.MULTILINE)
ROLE = re.compile(r':(?:class|func|meth|mod|attr|data|exc):`[~.]?(?:[\w.]*\.)?(?P<name>\w+)`')


class Docstrings(Extension):
    """Rewrite docstrings when they are loaded."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring:
            obj.docstring.value = rewritten(obj.docstring.value)


def rewritten(text: str) -> str:
    """Return a docstring in Markdown."""

    def fenced(match: re.Match[str]) -> str:
        indent = match['indent']
        return f'{indent}```pycon\n{match[0].rstrip()}\n{indent}```\n'

    return ROLE.sub(r'`\g<name>`', DOCTEST.sub(fenced, text))
