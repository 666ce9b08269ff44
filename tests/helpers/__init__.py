"""What tests of all rooms share. No torch and no mm packages here: see ``helpers.mm`` for those."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / 'tests' / 'data'
