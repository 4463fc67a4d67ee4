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
    """A connection taken anywhere else would be one without a principal.

    The sealer of the audit trail goes from tenant to tenant under a role of its own, on behalf of nobody.
    """
    allowed = {"session.py", "directory.py", "observatory.py", "operations.py", "sweep.py", "audit_seals.py"}
    for path in _files():
        taken = [name for _, name in _calls(path) if name.endswith("pool.acquire") or name == "without_principal"]
        assert not taken or path.name in allowed, f"{path}: {taken}"


def _commits(within: ast.AST) -> list[ast.Call]:
    calls = (node for node in ast.walk(within) if isinstance(node, ast.Call))
    return [call for call in calls if ast.unparse(call.func).endswith(".commit")]


def test_the_domain_commits_only_in_services() -> None:
    """One service method is one transaction; a commit in a rule or a helper of the domain would split it.

    A service is a class that is given the unit of work, in whatever file of its capability it stands.
    """
    services = 0
    for path in _files("domain"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        given = [one for one in classes if "UnitOfWork" in _taken_by(one)]
        services += len(given)
        assert len(_commits(tree)) == sum(len(_commits(one)) for one in given), str(path)
    assert services > 15


def _taken_by(one: ast.ClassDef) -> str:
    """What its constructor takes, as it is written there."""
    makers = (node for node in one.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    return "".join(ast.unparse(maker.args) for maker in makers)


def test_no_http_exception_below_the_surface() -> None:
    """The domain knows no status; refusals are DomainErrors."""
    for path in [*_files("domain"), *_files("db"), *_files("jobs")]:
        assert "HTTPException" not in path.read_text(encoding="utf-8"), str(path)


def test_every_principal_setting_is_quoted_or_typed() -> None:
    """Only these write SET LOCAL with a value of their own: most for whole tenants, as numbers or quoted."""
    allowed = {"session.py", "directory.py", "tenancy.py", "observatory.py", "operations.py", "sweep.py"}
    allowed |= {"audit_seals.py", "tracing.py"}
    for path in _files("db"):
        if "SET LOCAL app." in path.read_text(encoding="utf-8"):
            assert path.name in allowed, str(path)


@pytest.mark.parametrize("name", ["print", "breakpoint", "pdb.set_trace"])
def test_nothing_is_left_behind(name: str) -> None:
    """What is called by that very name; `console.print` of an operator's command is another thing."""
    for path in [*_files("domain"), *_files("db"), *_files("api"), *_files("jobs")]:
        assert name not in {called for _, called in _calls(path)}, f"{path}: {name}"
