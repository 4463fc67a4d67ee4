"""Settings say what they mean, and the example file says the same."""

from pathlib import Path

from service.settings import env_example, every_setting, local_secrets

_ROOT = Path(__file__).resolve().parents[2]


def test_the_example_file_is_current() -> None:
    assert (_ROOT / ".env.example").read_text(encoding="utf-8") == env_example()


def test_every_setting_says_what_it_means() -> None:
    assert [variable for variable, _, meaning in every_setting() if not meaning] == []


def test_local_secrets_are_made_once_and_readable_to_their_owner_alone(tmp_path: Path) -> None:
    first = local_secrets(tmp_path / "state")
    assert local_secrets(tmp_path / "state") == first
    assert (tmp_path / "state" / "secrets.json").stat().st_mode & 0o777 == 0o600
