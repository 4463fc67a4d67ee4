"""Silence is no good news: where the advisories could not be asked, the step fails and says so."""

import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "advisories"


@pytest.mark.parametrize(
    ("said", "ended", "expected", "unasked"),
    [
        ("No known vulnerabilities found", 0, 0, False),
        ("Found 1 known vulnerability in 1 package", 1, 1, False),
        ("ERROR:pip_audit: Connection refused", 1, 3, True),
        ("httpx  Dependency not found and could not be audited: httpx (1.0)", 0, 3, True),
    ],
)
def test_only_an_answer_of_all_counts(tmp_path: Path, said: str, ended: int, expected: int, unasked: bool) -> None:
    tool = tmp_path / ".venv" / "advisories" / "bin" / "pip-audit"
    tool.parent.mkdir(parents=True)
    tool.write_text(f"#!/bin/sh\necho '{said}'\nexit {ended}\n")
    tool.chmod(0o755)
    done = subprocess.run([_SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == expected
    assert ("NOT checked" in done.stderr) is unasked


def test_without_a_network_the_tool_can_not_be_had_and_that_is_said(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nmkdir -p "$3/bin" && printf "#!/bin/sh\\nexit 1\\n" > "$3/bin/python"\n')
    python.chmod(0o755)
    known = {"PATH": "/usr/bin:/bin", "PYTHON": str(python)}
    done = subprocess.run([_SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False, env=known)
    assert done.returncode == 3
    assert "NOT checked" in done.stderr
