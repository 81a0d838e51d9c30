"""What can be set, from where, and what it means; `docs/reference/settings.md` is generated from this file.

Precedence: environment (HEALTHBUDDY_…), `.env`, `healthbuddy.toml`, the defaults here.
"""

from __future__ import annotations

import os
import re
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from resources.definitions import DefinitionsMissingError, cache_file, definitions

PREFIX = "HEALTHBUDDY_"
SOURCE_TREE = Path(__file__).resolve().parents[1]
MIB = 1 << 20
T = TypeVar("T")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-]+(?::[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](?::[0-9]{1,5})?")


def _default_data_dir() -> Path:
    """Return `.data` of a source tree, the user's data folder for an installed program."""
    if (SOURCE_TREE / "pyproject.toml").exists():
        return SOURCE_TREE / ".data"
    shared = os.environ.get("XDG_DATA_HOME")
    return (Path(shared) if shared else Path.home() / ".local" / "share") / "healthbuddy"


def _time_zone(name: str) -> str:
    if name != "UTC" and name not in available_timezones():
        raise ValueError(f"'{name}' is no IANA time zone such as Europe/Vienna")
    return name


def _base_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("a base URL starts with http:// or https://")
    return url.rstrip("/")


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            ip_network(text)
        except ValueError as error:
            raise ValueError(f"'{text}' is no address or network such as 10.0.0.0/8: {error}") from None
    return texts


def _origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if not _ORIGIN.fullmatch(text):
            raise ValueError(f"'{text}' is no origin such as https://app.example.org")
    return texts


def _database_url(url: str) -> str:
    if url and not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("a database URL looks like postgresql://user:password@host/database")
    return url


def _known_types(named: dict[str, T]) -> dict[str, T]:
    try:
        unknown = [name for name in named if not definitions().is_resource(name)]
    except DefinitionsMissingError:  # they are about to be made
        return named
    if unknown:
        raise ValueError(f"there is no R4 resource type called {', '.join(unknown)}")
    return named


Policy = Literal["gate", "reject", "warn", "tag"]
"""What becomes of a resource that does not conform."""


class IdentityProvider(BaseModel):
    """An OpenID provider that people may sign in with.

    Shape:  `mfa` says that it asks for a second factor itself, so that ours is not asked for; `private` that it may be
            at an address of a private network
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    client_id: str
    client_secret: str = Field(default="", repr=False)
    label: str = ""
    mfa: bool = False
    private: bool = False


class Settings(BaseSettings):
    """The settings of one process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    # Where it listens
    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. Others than loopback need authorization, and TLS or `proxies`.",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        default="",
        description="The FHIR base to write into answers, such as `https://ehr.example.org/fhir`. "
        "Empty: follow the request's Host header.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Web worker processes; 0: one per processor, at least 2, at most 8.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file of the certificate and its chain: the server then speaks HTTPS alone. Read again when it"
        " changes.",
    )
    tls_key: Path | None = Field(
        default=None, description="PEM file of the certificate's key. Default: it is in the same file."
    )
    proxies: Annotated[tuple[str, ...], AfterValidator(_networks)] = Field(
        default=(),
        description='Addresses and networks of the proxies in front, as JSON: `["10.0.0.0/8"]`. Their'
        " `X-Forwarded-For` and `X-Forwarded-Proto` are believed; without TLS of our own, nobody else but this machine"
        " is answered.",
    )
    metrics_for: Annotated[tuple[str, ...], AfterValidator(_networks)] = Field(
        default=(),
        description="Addresses and networks that may read `/metrics` beside this machine, as JSON.",
    )
    cors_origins: Annotated[tuple[str, ...], AfterValidator(_origins)] = Field(
        default=(),
        description="Origins of web apps that may call beside those of the registered clients, as JSON:"
        ' `["https://app.example.org"]`.',
    )

    # Database
    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        default="",
        repr=False,
        description="URL of a PostgreSQL 15 or newer: `postgresql://user:password@host/database`. "
        "Empty: an embedded one in the data folder.",
    )
    pool_size: int = Field(default=10, ge=1, le=200, description="Most database connections of one worker.")
    pool_timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=300,
        description="Seconds a request waits for a database connection before 503.",
    )
    statement_timeout_s: float = Field(
        default=10.0, gt=0, le=3600, description="Seconds one SQL statement may take before 503 `timeout`."
    )
    postgres_options: dict[str, str] = Field(
        default={},
        description="Settings of the embedded PostgreSQL that win over ours, as JSON: "
        '`{"shared_buffers": "2GB"}`.',
    )

    # Limits
    max_body_bytes: int = Field(
        default=50 * MIB, ge=1024, description="Largest request body; more is answered 413."
    )
    body_budget_bytes: int = Field(
        default=128 * MIB, ge=1024, description="Bytes of request bodies that one worker holds at a time."
    )
    bundle_entries_max: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Most entries of one batch or transaction."
    )
    conditional_delete_max: int = Field(
        default=1_000,
        ge=1,
        le=100_000,
        description="Most resources that one conditional delete may remove; more is answered 412.",
    )
    page_size: int = Field(
        default=20, ge=1, le=1_000, description="Entries of a page where the client asks for no `_count`."
    )
    page_size_max: int = Field(
        default=1_000,
        ge=1,
        le=10_000,
        description="Most entries of a page; a larger `_count` is lowered to it.",
    )
    value_set_codes_max: int = Field(
        default=20_000,
        ge=1,
        le=200_000,
        description="Most codes of a value set or hierarchy that a search lists; of more, those in use are taken, "
        "which may be as many.",
    )
    search_explain: bool = Field(
        default=False,
        description="Offer `_explain=true` on searches, which shows statements, their plans and times "
        "to whoever searches.",
    )
    in_flight: int = Field(default=64, ge=1, description="Requests that one worker works on at a time.")
    queue: int = Field(
        default=256, ge=0, description="Requests that may wait in one worker; more are answered 503."
    )
    queue_seconds: float = Field(
        default=5.0, gt=0, description="Seconds a request may wait before it is answered 503."
    )
    heavy_lane_bytes: int = Field(
        default=256 * 1024,
        ge=0,
        description="Body size from which on a request is worked on in the worker's second process.",
    )
    heavy_lane_in_flight: int = Field(
        default=4, ge=1, description="Requests that a heavy lane works on at a time."
    )
    rate_address: float = Field(
        default=1000,
        ge=0,
        description="Requests per second from one address, over all workers; more are answered 429. 0: any number."
        " This machine's own are not counted.",
    )
    rate_client: float = Field(
        default=10_000, ge=0, description="Requests per second of one client (app); 0: any number."
    )
    rate_user: float = Field(
        default=200, ge=0, description="Requests per second of one person; 0: any number."
    )
    rate_sign_in: float = Field(
        default=5,
        ge=0,
        description="Requests per second from one address to `/auth`, where people sign in and apps get tokens;"
        " 0: any number. This machine's own are not counted.",
    )
    rate_burst_s: float = Field(
        default=10, gt=0, le=3600, description="Seconds of unused rate that may be spent at once."
    )
    rate_redis_url: str = Field(
        default="",
        repr=False,
        description="URL of a Redis in which several machines count together (extra `redis`): `rediss://…`. Empty: each"
        " machine counts by itself.",
    )
    shutdown_s: float = Field(
        default=20.0,
        ge=0,
        le=600,
        description="Seconds that running requests get to finish when the server stops.",
    )

    # Authorization
    authorization: Literal["smart", "open"] = Field(
        default="smart",
        description="`smart`: every request needs an access token, but for what the specification makes public. "
        "`open`: no authorization at all, for trying things out; on loopback addresses only.",
    )
    access_token_minutes: int = Field(
        default=15, ge=5, le=60, description="Minutes that an access token is good for."
    )
    refresh_token_days: int = Field(
        default=120,
        ge=92,
        le=3650,
        description="Days that a refresh token is good for, counted anew each time it is used; three months at least.",
    )
    client_registration: Literal["open", "approve", "closed"] = Field(
        default="approve",
        description="What becomes of apps that register themselves: `open` (they may start at once), `approve`"
        " (somebody says yes first: `healthbuddy client approve`), `closed` (refused).",
    )
    jwks_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts, as JSON, whose key sets may be fetched although their addresses are not public."
        ' `["keys.clinic.internal"]`',
    )
    tenant: str = Field(
        default="", description="What `tenant` tells an app that is launched from an EHR. Empty: nothing."
    )
    brands_file: Path | None = Field(
        default=None,
        description="File with the Bundle of user-access brands to publish. Empty: one of this server alone.",
    )
    brand_name: str = Field(
        default="Health Buddy", description="Name of the organization whose records these are."
    )
    brand_url: Annotated[str, AfterValidator(_base_url)] = Field(
        default="", description="Its web site, which also identifies it. Empty: this server's own address."
    )

    clinician_reach: Literal["all", "care-team"] = Field(
        default="all",
        description="Whom clinicians see: `all` patients, or those whose active CareTeam names them (`care-team`).",
    )
    access_rules: Path | None = Field(
        default=None,
        description="JSON file of rules on when roles count: purpose, network, time, organization; of the form of"
        " `fhir_server/access/attributes.json`, and beside these.",
    )
    consent_default: Literal["opt-out", "opt-in"] = Field(
        default="opt-out",
        description="What holds where no Consent of a patient speaks: `opt-out` (who is allowed to may see it) or"
        " `opt-in` (nobody but the patient). Research, marketing and AI always need a Consent.",
    )

    # Protection of what is stored
    encryption: Literal["on", "off"] = Field(
        default="off",
        description="Whether the content of resources is sealed on its way into the database (AES-256-GCM, keys by"
        " patient). What was sealed before is read in any case. See [security](../security.md).",
    )
    search_in_clear: tuple[Literal["string", "text", "date", "number", "position", "code"], ...] = Field(
        default=("string", "text", "date", "number", "position", "code"),
        description="Kinds of values that index columns may hold as they are, as JSON. Searches that need another kind"
        " are refused by name and leave the CapabilityStatement. A change needs `healthbuddy reindex --rewrite`.",
    )
    key_provider: Literal["file", "environment", "aws-kms", "vault"] = Field(
        default="file",
        description="Where the wrapping key is: a `file` in the data folder, the setting `master_keys`"
        " (`environment`), AWS KMS (extra `aws`), or the Transit engine of Vault.",
    )
    key_file: Path | None = Field(
        default=None, description="File of the wrapping keys. Default: `keys/master.json` in the data folder."
    )
    master_keys: str = Field(
        default="",
        repr=False,
        description="Wrapping keys, `name:base64 of 32 bytes` each, separated by commas; the last is in use.",
    )
    key_name: str = Field(
        default="", description="Name (ARN) of the wrapping key in AWS KMS, or of the key in Vault Transit."
    )
    vault_address: str = Field(
        default="", description="Address of Vault, such as `https://vault.example.org`."
    )
    vault_token: str = Field(
        default="", repr=False, description="Token that may encrypt and decrypt with that key."
    )
    keys_database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        default="",
        repr=False,
        description="URL of the database that keeps the wrapped keys, apart from the content and its backups."
        " Empty: the content's database, with `_keys` behind its name.",
    )

    # Audit
    audit: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Whether each access is written to the audit trail before it is answered. `auto`: wherever there is"
        " authorization; `off` only where there is none.",
    )
    audit_copy: Path | None = Field(
        default=None,
        description="File to which each signed checkpoint of the audit trail is also appended, best on another machine."
        " Default: `audit-checkpoints.jsonl` in the data folder.",
    )

    # People
    mfa_roles: tuple[str, ...] = Field(
        default=("clinician", "pharmacist", "researcher", "operator", "auditor"),
        description="Roles that must sign in with a second factor, as JSON. Everybody may.",
    )
    sign_up: bool = Field(
        default=True,
        description="Whether anybody may make an account. It sees nothing until it is bound to somebody of the record.",
    )
    accounts_key: str = Field(
        default="",
        repr=False,
        description="Key that seals the secrets of authenticator apps: base64 of 32 bytes."
        " Empty: `keys/accounts.key` in the data folder.",
    )
    smtp_url: str = Field(
        default="",
        repr=False,
        description="Where messages are sent by: `smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`."
        " Empty: they go to `outbox.txt` in the data folder, and to the terminal.",
    )
    mail_from: str = Field(default="", description="Sender of messages, such as `no-reply@ehr.example.org`.")
    sms_url: str = Field(
        default="",
        repr=False,
        description='Address that takes SMS as JSON by POST (`{"to": …, "text": …}`). Empty: as for messages.',
    )
    identity_providers: dict[str, IdentityProvider] = Field(
        default={},
        repr=False,
        description="OpenID providers that people may sign in with, as JSON by short name:"
        ' `{"clinic": {"issuer": "https://…", "client_id": "…", "client_secret": "…", "label": "Clinic"}}`.',
    )

    backup_days: int = Field(
        default=35,
        ge=1,
        le=3650,
        description="Days after which the key of a backup is destroyed, and with it what the backup holds.",
    )
    keys_backup_days: int = Field(
        default=7,
        ge=1,
        le=365,
        description="Days for which a backup of the key store may be restored: so long may erased people come back.",
    )

    retention_rules: Path | None = Field(
        default=None,
        description="File with the rules of `healthbuddy retention run`, in the form of"
        " `fhir_server/storage/retention.json`, which is the default.",
    )

    # Meaning
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        default="UTC",
        description="IANA time zone of dates that come without one, in data and in searches. A change indexes anew.",
    )

    # Validation
    validation: Policy = Field(
        default="gate",
        description="What a write has to pass: `gate` (structure and required codes alone), `reject` (everything that"
        " `$validate` says; errors are answered 422), `warn` (saved; what there is to say goes into the outcome), `tag`"
        " (saved; what does not conform carries a tag). See [validate](../how-to/validate.md).",
    )
    validation_types: Annotated[dict[str, Policy], AfterValidator(_known_types)] = Field(
        default={}, description='Other policies for single types, as JSON: `{"Observation": "reject"}`.'
    )
    validation_profiles: Annotated[dict[str, tuple[str, ...]], AfterValidator(_known_types)] = Field(
        default={},
        description='Profiles by type, as JSON: `{"Patient": ["http://…"]}`. A resource must conform to at least one'
        " of its type's; the policy of such a type may not be `gate`.",
    )
    validation_meta_profile: Literal["ignore", "known", "reject"] = Field(
        default="known",
        description="Profiles that a resource claims in `meta.profile`: `ignore` them, validate the `known` ones,"
        " or also `reject` unknown ones.",
    )
    validation_references: Literal["none", "type", "exists"] = Field(
        default="type",
        description="What a reference has to hold: nothing (`none`), a `type` that is allowed there, or also a"
        " target that `exists` on this server.",
    )
    instantiates: tuple[str, ...] = Field(
        default=(),
        description="Canonicals of CapabilityStatements, as JSON, that this server's own says it implements.",
    )
    validation_best_practice: bool = Field(
        default=False, description="Whether best-practice recommendations are told as warnings."
    )

    # Folders
    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Folder of the embedded database and the loader's state. "
        "Default: `.data` in a source tree, else `~/.local/share/healthbuddy`.",
    )
    cache_dir: Path = Field(
        default_factory=lambda: cache_file().parent,
        description="Folder of the compiled FHIR definitions. Default: `.cache` in the source tree.",
    )

    # Demo and logs
    package_folder: Path | None = Field(
        default=None,
        description="Folder with FHIR packages (`.tgz`) that `healthbuddy ig install` takes from.",
    )
    package_registry: str = Field(
        default="",
        description="Address of a FHIR package registry that `healthbuddy ig install` may fetch from. "
        "Empty: nothing is fetched.",
    )
    demo_patients: int = Field(
        default=50,
        ge=0,
        le=100_000,
        description="Patients of demo data loaded at the first start of an embedded database; 0: none.",
    )
    demo_seed: int = Field(
        default=7, description="Seed of the demo data: the same seed gives the same people."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level that is logged."
    )
    access_log: bool = Field(
        default=False, description="Whether each request is logged (without query and ids)."
    )

    @model_validator(mode="after")
    def _profiles_are_looked_at(self) -> Settings:
        for name in self.validation_profiles:
            if self.policy(name) == "gate":
                raise ValueError(
                    f"validation_profiles names {name}, whose policy is 'gate', which looks at none"
                )
        return self

    @model_validator(mode="after")
    def _access_is_audited(self) -> Settings:
        if self.audit == "off" and self.authorization == "smart":
            raise ValueError("audit can be off only where authorization is open")
        return self

    @model_validator(mode="after")
    def _key_has_a_certificate(self) -> Settings:
        if self.tls_key is not None and self.tls_certificate is None:
            raise ValueError("tls_key is given without tls_certificate")
        return self

    def policy(self, type_name: str) -> Policy:
        """Return what becomes of a resource of a type that does not conform."""
        return self.validation_types.get(type_name, self.validation)

    @property
    def audited(self) -> bool:
        """Whether accesses are written to the audit trail."""
        return self.audit == "on" or (self.audit == "auto" and self.authorization == "smart")

    @property
    def own_base(self) -> str:
        """The FHIR base: as set, else on this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if self.tls_certificate else "http"
        return self.base_url or f"{scheme}://{host}:{self.port}/fhir"

    @property
    def worker_count(self) -> int:
        """How many web workers to run."""
        return self.workers or min(max(os.cpu_count() or 2, 2), 8)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of zone-less dates."""
        return ZoneInfo(self.time_zone)

    @property
    def postgres_dir(self) -> Path:
        """Where the embedded PostgreSQL lives."""
        return self.data_dir / "postgres"

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded one."""
        return not self.database_url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values come from, the strongest first; raises SettingsError for a TOML file that is wrong."""
        del file_secret_settings
        named = os.environ.get(f"{PREFIX}CONFIG")
        path = Path(named or "healthbuddy.toml")
        if named and not path.is_file():
            raise SettingsError(f"{PREFIX}CONFIG names {path}, which is no file")
        try:
            toml = TomlConfigSettingsSource(settings_cls, path)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise SettingsError(f"{path} cannot be read: {error}") from None
        if unknown := sorted(set(toml.toml_data) - set(settings_cls.model_fields)):
            raise SettingsError(f"{path}: there is no setting called {', '.join(unknown)}")
        return init_settings, env_settings, dotenv_settings, toml
