"""Draw what an attack recovered: the four photographs of which most came back, and four from the middle.

python tools/audit.py --sets small-gcompris --settings rs-p8-gap-2
python tools/docs/recovered_sheet.py work_dirs/audit/small-gcompris/rs-p8-gap-2 --out docs/images/recovered_strong.webp
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 112  # pixels of a picture on the sheet
COUNT = 4
LOOKS = ('plain', 'encrypted', 'recovered')


def chosen(report: Path, attack: str) -> list[dict[str, str]]:
    """Return the pictures of the results: those with most right neighbours, then those around the median."""
    rows = [row for row in json.loads(report.read_text(encoding='utf-8'))['results'] if row['attack'] == attack]
    rows.sort(key=lambda row: -row['metrics']['surviving'])
    middle = len(rows) // 2 - COUNT // 2
    return [row['pictures'] for row in rows[:COUNT] + rows[middle : middle + COUNT]]


def sheet(folder: Path, attack: str) -> Image.Image:
    """Return one column for each photograph: plain, encrypted, and recovered."""
    columns = [
        np.vstack([np.asarray(Image.open(folder / of[look]).convert('RGB').resize((SIDE, SIDE))) for look in LOOKS])
        for of in chosen(folder / 'report.json', attack)
    ]
    return Image.fromarray(np.hstack(columns))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description='Draw what an attack recovered.')
    parser.add_argument('folder', type=Path, help='of a report')
    parser.add_argument('--attack', default='context', help='(%(default)s)')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE')
    args = parser.parse_args()
    sheet(args.folder, args.attack).save(args.out, quality=70)
