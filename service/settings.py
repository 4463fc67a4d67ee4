"""Every setting of the service, read from `CLIENTBASE_*` (nested with `__`); built once per process root."""

import fcntl
import os
import secrets
from ipaddress import ip_network
from pathlib import Path

import orjson
from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class DatabaseSettings(BaseModel):
    url: SecretStr | None = Field(
        default=None, description="The service's own login; without it the embedded server is used."
    )
    owner_url: SecretStr | None = Field(default=None, description="The owner's login, for `migrate` and `tenant`.")
    # Two cores are busy with about four queries each; the rest wait in the pool rather than in Postgres.
    pool_size: int = Field(default=10, ge=1, le=100, description="Connections per process.")
    acquire_timeout_s: float = Field(default=2.0, gt=0, description="How long a request waits for a connection.")


class AuthSettings(BaseModel):
    secret: SecretStr | None = Field(default=None, description="Shared secret for HS256 tokens (32 bytes or more).")
    jwks_url: str | None = Field(default=None, description="Keys of the identity provider for RS256 and ES256.")
    issuer: str = Field(default="clientbase", description="The `iss` that every token must carry.")
    audience: str = Field(default="clientbase", description="The `aud` that every token must carry.")
    known_secrets_file: Path | None = Field(default=None, description="Secrets that must never be used, one a line.")


class ContactSettings(BaseModel):
    lookup_key: SecretStr | None = Field(
        default=None, description="Key of the hashes by which contacts are found; the same in every process."
    )
    region: str = Field(default="RU", min_length=2, max_length=2, description="Country of phones written without one.")


class LimitSettings(BaseModel):
    # Ten thousand customers with contacts take about 6 MB of JSON.
    body_bytes: int = Field(default=32 * 1024**2, ge=1024, description="Largest body of a request.")
    upload_bytes: int = Field(default=4 * 1024**3, ge=1024, description="Largest file of an import.")
    batch_items: int = Field(default=10_000, ge=1, le=10_000, description="Most items of one batch.")
    # More than one process can answer: what a person needs is far below, what a shop's system needs may not be.
    caller_per_minute: int = Field(
        default=120_000, ge=0, description="Requests of one caller in a minute, counted by each process; 0 is no limit."
    )
    address_per_minute: int = Field(
        default=1_200, ge=0, description="Requests without a valid token from one address in a minute; 0 is no limit."
    )


class HttpSettings(BaseModel):
    behind_tls: bool = Field(
        default=False, description="A proxy in front speaks TLS: answers tell browsers to come by https alone."
    )
    trusted_proxies: list[str] = Field(
        default=[], description='Networks whose X-Forwarded-For is believed, such as ["10.0.0.0/8"].'
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, named: list[str]) -> list[str]:
        for one in named:
            ip_network(one)
        return named


class JobSettings(BaseModel):
    # A job whose worker was killed is taken up again after this long; heartbeats come twice as often.
    heartbeat_s: float = Field(default=6.0, ge=1, description="Silence after which a job is taken from its worker.")
    concurrency: int = Field(default=4, ge=2, description="Jobs that one worker runs side by side.")
    chunk_rows: int = Field(default=10_000, ge=100, le=100_000, description="Rows of an import per transaction.")
    examiners: int = Field(default=2, ge=0, le=64, description="Processes that a scan of data quality may start.")


class AuditSettings(BaseModel):
    anchor_file: Path | None = Field(
        default=None, description="Where the anchors of the audit trail go, not in the database; else in STATE_DIR."
    )
    anchor_key: SecretStr | None = Field(
        default=None, description="Secret that the anchors are signed with (32 bytes or more)."
    )
    seal_every_s: float = Field(default=0.5, gt=0, le=60, description="How often the audit trail is sealed.")
    anchor_every_s: float = Field(default=60, gt=0, le=3600, description="How often its chains are anchored.")


class AntivirusSettings(BaseModel):
    address: str | None = Field(
        default=None, description="clamd: tcp://127.0.0.1:3310 or unix:///run/clamav/clamd.ctl; none: no scan."
    )
    # clamd takes no longer stream than its StreamMaxLength, and calls what is over its MaxFileSize OK unread.
    most_bytes: int = Field(
        default=100 * 1024**2, ge=1024, description="Largest upload; no more than clamd's own limits."
    )
    at_once_bytes: int = Field(
        default=16 * 1024**2, ge=0, description="Files up to this size are scanned during the upload."
    )
    at_once_s: float = Field(default=5.0, gt=0, description="How long an upload waits for its scan.")
    patient_s: float = Field(default=600.0, gt=0, description="How long the worker waits for the scan of one file.")


class SignalSettings(BaseModel):
    webhook_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Where leak signals are posted, each until it is taken."
    )
    webhook_secret: SecretStr | None = Field(
        default=None, min_length=16, description="Key of the HMAC-SHA256 signature over time and body of each post."
    )
    webhook_private: bool = Field(default=False, description="Whether the webhook may stand in a private network.")


class TelemetrySettings(BaseModel):
    level: str = Field(default="info", description="Lowest level of the log: debug, info, warning, error.")
    json_logs: bool = Field(default=True, description="One JSON object a line; otherwise text for people.")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CLIENTBASE_", env_nested_delimiter="__", extra="ignore")

    database: DatabaseSettings = DatabaseSettings()
    auth: AuthSettings = AuthSettings()
    contacts: ContactSettings = ContactSettings()
    limits: LimitSettings = LimitSettings()
    http: HttpSettings = HttpSettings()
    jobs: JobSettings = JobSettings()
    antivirus: AntivirusSettings = AntivirusSettings()
    audit: AuditSettings = AuditSettings()
    signals: SignalSettings = SignalSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    state_dir: Path = Field(default=Path(".clientbase"), description="Where the embedded server and its secrets live.")


_LOCAL_SECRETS = ("auth_secret", "lookup_key", "anchor_key")


def local_secrets(state_dir: Path) -> dict[str, str]:
    """The secrets of a stand-alone installation, made at the first start and kept readable to the owner alone."""
    path = state_dir / "secrets.json"
    state_dir.mkdir(parents=True, exist_ok=True)
    # One process makes what is missing (an older version made fewer), the others read it.
    handle = os.open(state_dir / "secrets.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        kept: dict[str, str] = orjson.loads(path.read_bytes()) if path.exists() else {}
        missing = {name: secrets.token_urlsafe(48) for name in _LOCAL_SECRETS if name not in kept}
        if missing:
            draft = path.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            draft.touch(mode=0o600)
            draft.write_bytes(orjson.dumps(kept | missing))
            draft.replace(path)
    finally:
        os.close(handle)
    return kept | missing


def every_setting() -> list[tuple[str, str, str]]:
    """Variable, default and meaning of each setting."""
    found: list[tuple[str, str, str]] = []
    for group, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None) or {"": field}
        for name, one in inner.items():
            variable = f"CLIENTBASE_{group}__{name}" if name else f"CLIENTBASE_{group}"
            default = "" if one.default is None else str(one.default)
            found.append((variable.upper(), default, one.description or ""))
    return found


def env_example() -> str:
    """The text of `.env.example`: each setting with its meaning, commented out at its default."""
    return "".join(f"# {meaning}\n# {variable}={default}\n" for variable, default, meaning in every_setting())
