"""Public data sets are read in place, beside the project; where they are absent the test says so and skips."""

from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data(name: str) -> Path:
    path = _ROOT / name
    if not path.exists():
        pytest.skip(f"the public data set {name} is not beside this checkout")
    return path
