"""Write the generated parts of the documentation: the tables of figures and the command line reference.

    python tools/docs/generate.py [--check]

Needs only the standard library. The pictures of docs/concepts.md need NumPy and
Pillow: ``concept_pictures.py``.
"""

from __future__ import annotations

import sys

import cli_reference
import tables

if __name__ == '__main__':
    sys.exit(max(script.main(sys.argv[1:]) for script in (tables, cli_reference)))
