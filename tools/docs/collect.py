"""Extract the figures of one or more attack reports into a json file for the documentation.

    python tools/docs/collect.py [SET=]REPORT_JSON... --out docs/data/NAME.json [--command TEXT] [--machine TEXT]

``hii-mm attack`` writes ``report.json``. Only means, worst tenths, intervals,
floors and ceilings are kept, to six digits. Rows of a report that has a name
carry it as ``set``. Run ``python tools/docs/tables.py``
afterwards to renew the tables.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

FIGURES = ('mean', 'worst_decile', 'low', 'high')


def main(argv: list[str] | None = None) -> int:
    """Write the file and return 0, or 2 for a file that is not an attack report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('reports', nargs='+', type=_named, metavar='[SET=]REPORT_JSON')
    parser.add_argument('--out', required=True, type=Path, metavar='FILE')
    parser.add_argument('--command', help="the command that made the reports (default: the reports' own)")
    parser.add_argument('--machine', help="(default: the first report's)")
    parser.add_argument('--date', help="(default: the first report's)")
    args = parser.parse_args(argv)
    reports = [json.loads(path.read_text(encoding='utf-8')) for _, path in args.reports]
    for (_, path), report in zip(args.reports, reports):
        if report.get('format') != 'hii-mm attack report':
            print(f'collect: {path} is not an attack report', file=sys.stderr)
            return 2
    rows = [
        {**({'set': name} if name else {}), **row}
        for (name, _), report in zip(args.reports, reports)
        for setting in report['settings']
        for row in rows_of(setting)
    ]
    head = {
        'command': args.command or '; '.join(report['command'] for report in reports),
        'date': args.date or reports[0]['created'][:10],
        'machine': args.machine or reports[0]['machine'],
    }
    args.out.write_text(dump(head, rows), encoding='utf-8')
    return 0


def _named(text: str) -> tuple[str, Path]:
    """Return the name, '' for none, and the path of a report."""
    name, _, path = text.rpartition('=')
    return name, Path(path)


def rows_of(setting: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each attack that ran on a setting of a report."""
    rows = []
    for attack in setting['attacks']:
        if attack['status'] == 'not run':
            continue
        metrics = {
            name: {key: rounded(found[key]) for key in FIGURES}
            for name, found in attack['metrics'].items()
            if found['count']
        }
        floors = {
            floor: {name: rounded(value) for name, value in values.items()}
            for floor, values in attack['floors'].items()
        }
        rows.append(
            {
                'setting': setting['name'],
                'attack': attack['name'],
                'images': attack['images'],
                'runs': attack['runs'],
                'metrics': metrics,
                'floors': floors,
                'ceilings': {name: rounded(value) for name, value in attack.get('ceilings', {}).items()},
                'search': {name: rounded(value) for name, value in (attack.get('search') or {}).items()},
                'seconds': rounded(attack['seconds']['mean']),
            }
        )
    return rows


def rounded(value: float | None) -> float | None:
    """Return a figure with six decimals."""
    return None if value is None else round(value, 6)


def dump(head: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the json text, one line for each row, which keeps diffs readable."""
    lines = ',\n'.join('  ' + json.dumps(row) for row in rows)
    return json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n' + lines + '\n ]\n}\n'


if __name__ == '__main__':
    sys.exit(main())
