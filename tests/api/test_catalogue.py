"""Problem codes are public: each stands for one thing, and the page that lists them is current."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from service.api import catalogue
from service.domain.errors import DomainError

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "problems.md"


def test_the_page_of_problems_is_current() -> None:
    # A process of its own, so that what other tests have defined does not show.
    built = subprocess.run(
        [sys.executable, "-m", "service.api.catalogue"],
        capture_output=True,
        text=True,
        check=True,
        cwd=_PAGE.parents[1],
    ).stdout
    assert built == _PAGE.read_text(encoding="utf-8"), "run `make problems`"


def test_codes_are_kebab_case_and_titles_are_sentences() -> None:
    catalogue.import_all()
    for code, entry in catalogue.entries().items():
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code), code
        assert entry.title.endswith("."), code


def test_a_code_stands_for_one_kind_of_refusal() -> None:
    catalogue.import_all()
    by_code: dict[str, list[type[DomainError]]] = defaultdict(list)
    for kind in catalogue._kinds(DomainError):
        if kind.__module__.startswith("service.") and "code" in kind.__dict__ and kind not in by_code[kind.code]:
            by_code[kind.code].append(kind)
    for code, kinds in by_code.items():
        general = kinds[0]
        assert all(issubclass(kind, general) for kind in kinds), f"{code}: {kinds}"
