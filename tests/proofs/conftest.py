"""Slow proofs: they run when CLIENTBASE_PROOFS=1 asks for them, alone and in one process."""

import os
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    asked = os.environ.get("CLIENTBASE_PROOFS") == "1"
    for item in items:
        if not item.path.is_relative_to(_HERE):
            continue
        item.add_marker(pytest.mark.xdist_group("proofs"))
        item.add_marker(pytest.mark.timeout(3600))
        if not asked:
            item.add_marker(pytest.mark.skip(reason="a slow proof; CLIENTBASE_PROOFS=1 runs it"))
