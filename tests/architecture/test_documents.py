"""What a document says is proven names a test that there is."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_DOCUMENTS = sorted([*_ROOT.glob("docs/**/*.md"), *_ROOT.glob("*.md")])


def _defined() -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in (_ROOT / "tests").rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"def (test_\w+)", text)}


def _missing(text: str) -> set[str]:
    """The places and tests that a text names between backticks and that are not there."""
    places = set(re.findall(r"`(tests/[^`:]+)(?:::\w+)?`", text))
    names = set(re.findall(r"`(?:tests/[^`:]+::)?(test_[^`]+)`", text))
    return {place for place in places if not (_ROOT / place).exists()} | (names - _defined())


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: str(path.relative_to(_ROOT)))
def test_every_test_that_is_named_exists(document: Path) -> None:
    assert _missing(document.read_text(encoding="utf-8")) == set()


def test_one_that_is_gone_is_found() -> None:
    text = "`tests/unit/test_gone.py`, `test_that_was_renamed`, `tests/architecture/test_documents.py::test_gone`"
    assert _missing(text) == {"tests/unit/test_gone.py", "test_that_was_renamed", "test_gone"}


def test_every_row_of_threats_has_a_proof_or_says_that_it_is_open() -> None:
    text = (_ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 42
    for row in rows:
        assert "test" in row[3] or row[3].startswith("the same") or "pen" in row[2], row
