"""Write zoo/spot/fashion-scene.webp, and .txt with its labels: the first 20 validation images of each class.

python tools/dev/spot_scene.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

DATA, SHEET = Path('data/fashion-scene/val'), Path('zoo/spot/fashion-scene.webp')
EACH = 20

if __name__ == '__main__':
    folders = sorted(path for path in DATA.iterdir() if path.is_dir())
    rows = [
        np.concatenate([np.asarray(Image.open(path).convert('RGB')) for path in sorted(folder.glob('*.png'))[:EACH]], 1)
        for folder in folders
    ]
    Image.fromarray(np.concatenate(rows)).save(SHEET, quality=92, method=6)
    labels = '\n'.join(' '.join([str(number)] * EACH) for number in range(len(folders)))
    SHEET.with_suffix('.txt').write_text(f'{labels}\n', encoding='utf-8')
