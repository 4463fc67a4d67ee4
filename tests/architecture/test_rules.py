"""Rules that a linter does not know, each with its reason and the one way around it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_SERVICE = Path(__file__).resolve().parents[2] / "service"


def _calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def _files(*parts: str) -> list[Path]:
    found = sorted((_SERVICE.joinpath(*parts)).rglob("*.py"))
    assert found
    return found


def test_only_the_unit_of_work_and_the_directory_take_connections() -> None:
    """A connection taken anywhere else would be one without a principal."""
    allowed = {"session.py", "directory.py", "observatory.py", "operations.py", "sweep.py"}
    for path in _files():
        taken = [name for _, name in _calls(path) if name.endswith("pool.acquire") or name == "without_principal"]
        assert not taken or path.name in allowed, f"{path}: {taken}"


def test_the_domain_commits_only_in_services() -> None:
    """One service method is one transaction; a commit elsewhere in the domain would split it."""
    for path in _files("domain"):
        commits = [name for _, name in _calls(path) if name.endswith(".commit")]
        assert not commits or path.name == "service.py", str(path)


def test_no_http_exception_below_the_surface() -> None:
    """The domain knows no status; refusals are DomainErrors."""
    for path in [*_files("domain"), *_files("db"), *_files("jobs")]:
        assert "HTTPException" not in path.read_text(encoding="utf-8"), str(path)


def test_every_principal_setting_is_quoted_or_typed() -> None:
    """Only `session.preamble`, `directory`, `tenancy` and `sweep` write SET LOCAL with a value from outside."""
    allowed = {"session.py", "directory.py", "tenancy.py", "observatory.py", "operations.py", "sweep.py"}
    for path in _files("db"):
        if "SET LOCAL app." in path.read_text(encoding="utf-8"):
            assert path.name in allowed, str(path)


@pytest.mark.parametrize("word", ["print(", "pdb", "breakpoint("])
def test_nothing_is_left_behind(word: str) -> None:
    for path in [*_files("domain"), *_files("db"), *_files("api"), *_files("jobs")]:
        assert word not in path.read_text(encoding="utf-8"), f"{path}: {word}"
