"""``python -m ltq``: the command ``ltq``."""

import sys

from ltq_core.cli import main

if not sys.flags.safe_path:
    # Python puts the current directory first. As for `ltq`, it comes last, so that a stray
    # file there shadows no library.
    sys.path.append(sys.path.pop(0))
sys.exit(main())
