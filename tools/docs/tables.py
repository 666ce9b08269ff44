"""Write the tables of figures in README.md, docs/ and configs/*/README.md from docs/data/*.json.

    python tools/docs/tables.py [--check]

A table stands between ``<!-- table: NAME -->`` and ``<!-- /table -->``; NAME is
one of ``TABLES`` in ``table_list.py``. ``--check`` writes nothing and exits with 1 if a
table differs from its json file.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from paths import DATA, ROOT, pages, report, update
from table_list import TABLES, Table

BLOCK = re.compile(r'(?P<open><!-- table: (?P<name>[\w-]+) -->\n).*?(?P<close><!-- /table -->)', re.DOTALL)
MARKERS = re.compile(r'<!-- /?table\b.*?-->')


def main(argv: list[str] | None = None) -> int:
    """Renew or check all tables and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='write nothing; fail if a table is out of date')
    check = parser.parse_args(argv).check
    stale = []
    for path in pages():
        text = path.read_text(encoding='utf-8')
        if not update(path, filled(text, path), check):
            stale.append(path)
    return report('tables.py', stale, check)


def filled(text: str, path: Path) -> str:
    """Return the text of a page with all of its tables renewed.

    Raises:
        SystemExit: a marker without a partner, or an unknown table.
    """

    def block(match: re.Match[str]) -> str:
        name = match['name']
        if name not in TABLES:
            raise SystemExit(f'{path.relative_to(ROOT)}: no table {name!r}; known: {", ".join(TABLES)}')
        return f'{match["open"]}\n{render(TABLES[name], path)}\n\n{match["close"]}'

    if len(MARKERS.findall(text)) != 2 * len(BLOCK.findall(text)):
        raise SystemExit(f'{path.relative_to(ROOT)}: a table marker has no partner')
    return BLOCK.sub(block, text)


def render(table: Table, path: Path) -> str:
    """Return a table as Markdown, with where its figures come from.

    Args:
        table: what to show.
        path: the page that shows it; links are relative to it.
    """
    data = json.loads((DATA / f'{table.data}.json').read_text(encoding='utf-8'))
    lines = ['| ' + ' | '.join(column.title for column in table.columns) + ' |', '|---' * len(table.columns) + '|']
    for row in table.rows(data['rows']):
        cells = [column.cell(row, path) for column in table.columns]
        lines.append('| ' + ' | '.join(cells) + ' |')
    commands = '; '.join(f'`{command.strip()}`' for command in data['command'].split(';'))
    return '\n'.join([*lines, '', f'{commands}: {data.get("kind", "measured")} {data["date"]} on {data["machine"]}.'])


if __name__ == '__main__':
    sys.exit(main())
