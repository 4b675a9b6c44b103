"""Where the recorded data lies. The project carries none of it; users point at their own copy."""

from __future__ import annotations

import os
from pathlib import Path

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def data_root() -> Path | None:
    """Folder with the recorded data: ``$BREAKWATER_DATA``, else ``../shared/data`` beside the checkout, else None."""
    given = os.environ.get("BREAKWATER_DATA")
    root = Path(given) if given else _BESIDE
    return root if root.is_dir() else None
