"""Write the figures of a benchmark to a json file, from which the tables of the documentation are generated."""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--json FILE``."""
    parser.add_argument('--json', metavar='FILE', help='also write the figures, as docs/data/*.json')


def write(path: str | None, rows: list[dict], machine: str) -> None:
    """Write rows with how they were measured; do nothing without a path.

    Args:
        path: of the json file.
        rows: figures, as docs/data/README.md lists them.
        machine: processor and versions.
    """
    if path is None:
        return
    words = [word for word in sys.argv[1:] if word not in ('--json', path) and not word.startswith('--json=')]
    script = Path(sys.argv[0]).resolve().relative_to(ROOT)
    command = shlex.join(['python', str(script), *words])
    lines = ',\n'.join('  ' + json.dumps(row) for row in rows)
    head = json.dumps({'command': command, 'date': time.strftime('%Y-%m-%d'), 'machine': machine}, indent=1)
    Path(path).write_text(f'{head[:-2]},\n "rows": [\n{lines}\n ]\n}}\n', encoding='utf-8')
