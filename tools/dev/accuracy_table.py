"""Write hii_mm/accuracy.json: the accuracies of zoo/frontier/epochs-18/, which an installed package does not hold.

python tools/dev/accuracy_table.py [--check]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FRONTIER, TABLE = ROOT / 'zoo' / 'frontier' / 'epochs-18', ROOT / 'hii_mm' / 'accuracy.json'
EPOCHS, TASK = 18, 'FashionScene, 128 x 128 pixels, after eighteen epochs'


def table(folder: Path = FRONTIER) -> dict[str, Any]:
    """Return the mean accuracy over the seeds, in percent with one digit, by the label of the scheme.

    Args:
        folder: of one json a run, with 'scheme' (a label, or 'plain'), 'model' and 'accuracy' in percent.

    Raises:
        SystemExit: encrypted runs, but none on plain images; or a run of other epochs.
    """
    runs: dict[str, list[float]] = defaultdict(list)
    for path in sorted(folder.glob('*.json')):
        run = json.loads(path.read_text())
        if run['epochs'] != EPOCHS:
            sys.exit(f'{path}: {run["epochs"]} epochs; the table is of {EPOCHS}')
        if run['scheme'] != 'plain' or run['model'] == 'ViT':  # not the model that knows no places
            runs[run['scheme']].append(float(run['accuracy']))
    means = {scheme: round(statistics.mean(values), 1) for scheme, values in sorted(runs.items())}
    plain = means.pop('plain', None)
    if means and plain is None:
        sys.exit(f'{folder}: no run on plain images to compare with')
    return {'task': TASK, 'source': 'zoo/frontier/epochs-18', 'plain': plain or 0.0, 'encrypted': means}


def text(found: dict[str, Any]) -> str:
    """Return the content of the file."""
    return json.dumps(found, indent=1) + '\n'


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description='Write hii_mm/accuracy.json from zoo/frontier/epochs-18/.')
    parser.add_argument('--check', action='store_true', help='write nothing; exit with 1 if the file differs')
    args = parser.parse_args()
    if args.check:
        if TABLE.read_text() != text(table()):
            sys.exit(f'{TABLE} is not that of {FRONTIER}; run python tools/dev/accuracy_table.py')
        sys.exit()
    TABLE.write_text(text(table()))
