"""Authorization: clients, codes, token families, signing keys, launches; accounts and sessions."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SERVER = """
CREATE TABLE auth_client (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    secret BYTEA,
    old_secret BYTEA,
    old_secret_until TIMESTAMPTZ,
    jwks JSONB,
    jwks_uri TEXT DEFAULT '' NOT NULL,
    redirect_uris TEXT[] NOT NULL,
    launch_uri TEXT DEFAULT '' NOT NULL,
    origins TEXT[] NOT NULL,
    grants TEXT[] NOT NULL,
    scopes TEXT[] NOT NULL,
    metadata JSONB NOT NULL,
    management BYTEA,
    origin TEXT COLLATE "C" NOT NULL,
    created TIMESTAMPTZ DEFAULT now() NOT NULL,
    updated TIMESTAMPTZ DEFAULT now() NOT NULL
);

CREATE TABLE auth_client_keys (
    url TEXT COLLATE "C" PRIMARY KEY,
    jwks JSONB NOT NULL,
    fetched TIMESTAMPTZ NOT NULL,
    expires TIMESTAMPTZ NOT NULL
);

CREATE TABLE auth_signing_key (
    kid TEXT COLLATE "C" PRIMARY KEY,
    public JSONB NOT NULL,
    private BYTEA NOT NULL,
    created TIMESTAMPTZ DEFAULT now() NOT NULL,
    signs TIMESTAMPTZ NOT NULL,
    ends TIMESTAMPTZ
);

CREATE TABLE auth_ask (
    id BYTEA PRIMARY KEY,
    client TEXT COLLATE "C" NOT NULL,
    request JSONB NOT NULL,
    session TEXT COLLATE "C" DEFAULT '' NOT NULL,
    account TEXT COLLATE "C" DEFAULT '' NOT NULL,
    patient TEXT COLLATE "C" DEFAULT '' NOT NULL,
    agreed TEXT[],
    state TEXT COLLATE "C" DEFAULT 'open' NOT NULL,
    created TIMESTAMPTZ DEFAULT now() NOT NULL,
    expires TIMESTAMPTZ NOT NULL
);
CREATE INDEX auth_ask_expires ON auth_ask (expires);

CREATE TABLE auth_code (
    hash BYTEA PRIMARY KEY,
    client TEXT COLLATE "C" NOT NULL,
    family TEXT COLLATE "C" NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL,
    allowed JSONB NOT NULL,
    expires TIMESTAMPTZ NOT NULL,
    used TIMESTAMPTZ
);
CREATE INDEX auth_code_expires ON auth_code (expires);

CREATE TABLE auth_family (
    id TEXT COLLATE "C" PRIMARY KEY,
    client TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    session TEXT COLLATE "C" NOT NULL,
    access TEXT COLLATE "C" NOT NULL,
    allowed JSONB NOT NULL,
    created TIMESTAMPTZ DEFAULT now() NOT NULL,
    used TIMESTAMPTZ DEFAULT now() NOT NULL,
    expires TIMESTAMPTZ NOT NULL,
    ended TIMESTAMPTZ,
    why TEXT COLLATE "C" DEFAULT '' NOT NULL
);
CREATE INDEX auth_family_account ON auth_family (account, client);
CREATE INDEX auth_family_session ON auth_family (session) WHERE session <> '';
CREATE INDEX auth_family_client ON auth_family (client);
CREATE INDEX auth_family_expires ON auth_family (expires);

CREATE TABLE auth_refresh (
    hash BYTEA PRIMARY KEY,
    family TEXT COLLATE "C" NOT NULL REFERENCES auth_family (id) ON DELETE CASCADE,
    issued TIMESTAMPTZ DEFAULT now() NOT NULL,
    expires TIMESTAMPTZ NOT NULL,
    used TIMESTAMPTZ
);
CREATE INDEX auth_refresh_family ON auth_refresh (family);

CREATE TABLE auth_agreed (
    account TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    scopes TEXT[] NOT NULL,
    at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (account, client)
);

CREATE TABLE auth_revoked (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what TEXT COLLATE "C" NOT NULL,
    at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    until TIMESTAMPTZ NOT NULL
);
CREATE INDEX auth_revoked_until ON auth_revoked (until);

CREATE TABLE auth_assertion (
    client TEXT COLLATE "C" NOT NULL,
    jti BYTEA NOT NULL,
    until TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (client, jti)
);
CREATE INDEX auth_assertion_until ON auth_assertion (until);

CREATE TABLE auth_launch (
    id BYTEA PRIMARY KEY,
    client TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    context JSONB NOT NULL,
    created TIMESTAMPTZ DEFAULT now() NOT NULL,
    expires TIMESTAMPTZ NOT NULL,
    used TIMESTAMPTZ
);
CREATE INDEX auth_launch_expires ON auth_launch (expires);

CREATE TABLE auth_app_state (
    id TEXT COLLATE "C" PRIMARY KEY,
    version INTEGER NOT NULL,
    system TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    body BYTEA,
    updated TIMESTAMPTZ DEFAULT now() NOT NULL
);
CREATE INDEX auth_app_state_of ON auth_app_state (subject, system, code);
"""

SERVER_TABLES = (
    "auth_app_state",
    "auth_launch",
    "auth_assertion",
    "auth_revoked",
    "auth_agreed",
    "auth_refresh",
    "auth_family",
    "auth_code",
    "auth_ask",
    "auth_signing_key",
    "auth_client_keys",
    "auth_client",
)

PEOPLE = """
CREATE TABLE account (
    id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    email_key TEXT COLLATE "C",
    email_verified TIMESTAMPTZ,
    phone TEXT DEFAULT '' NOT NULL,
    fhir_user TEXT COLLATE "C" NOT NULL,
    roles TEXT[] DEFAULT '{}' NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    password TEXT,
    password_set TIMESTAMPTZ,
    created TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    last_sign_in TIMESTAMPTZ,
    PRIMARY KEY (id),
    UNIQUE (email_key)
);
COMMENT ON COLUMN account.email IS 'as it was written; empty: none';
COMMENT ON COLUMN account.email_key IS 'the address in the form that is compared';
COMMENT ON COLUMN account.fhir_user IS 'Patient/1, Practitioner/1, RelatedPerson/1, Person/1; empty';
COMMENT ON COLUMN account.state IS 'active, waiting (for the address to be verified), disabled';
COMMENT ON COLUMN account.password IS 'argon2id';

CREATE TABLE account_attempt (
    name TEXT COLLATE "C" NOT NULL,
    failures INTEGER NOT NULL,
    last TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    until TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (name)
);
COMMENT ON COLUMN account_attempt.name IS 'hash of whom it is about and of what was tried';

CREATE TABLE account_factor (
    id TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    label TEXT NOT NULL,
    secret BYTEA NOT NULL,
    credential BYTEA,
    counter BIGINT DEFAULT 0 NOT NULL,
    created TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    confirmed TIMESTAMPTZ,
    used TIMESTAMPTZ,
    PRIMARY KEY (id),
    UNIQUE (credential)
);
CREATE INDEX account_factor_account ON account_factor (account);
COMMENT ON COLUMN account_factor.kind IS 'totp, passkey, recovery';
COMMENT ON COLUMN account_factor.secret IS 'sealed (totp), public key (passkey), SHA-256 (recovery)';
COMMENT ON COLUMN account_factor.credential IS 'id of a passkey';
COMMENT ON COLUMN account_factor.counter IS 'last time step; signature counter';

CREATE TABLE account_identity (
    issuer TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    created TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    used TIMESTAMPTZ,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX account_identity_account ON account_identity (account);

CREATE TABLE account_outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    channel TEXT COLLATE "C" NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    tries INTEGER DEFAULT 0 NOT NULL,
    problem TEXT,
    created TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    due TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    sent TIMESTAMPTZ,
    PRIMARY KEY (id)
);
CREATE INDEX account_outbox_due ON account_outbox (due) WHERE sent IS NULL;
COMMENT ON COLUMN account_outbox.channel IS 'email, sms';
COMMENT ON COLUMN account_outbox.body IS 'empty once it was sent';

CREATE TABLE account_session (
    id TEXT COLLATE "C" NOT NULL,
    secret BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    amr TEXT[] NOT NULL,
    owes TEXT COLLATE "C" NOT NULL,
    agent TEXT NOT NULL,
    address TEXT NOT NULL,
    created TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    signed_in TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    seen TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    expires TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (secret)
);
CREATE INDEX account_session_account ON account_session (account);
CREATE INDEX account_session_expires ON account_session (expires);
COMMENT ON COLUMN account_session.id IS 'its public name';
COMMENT ON COLUMN account_session.secret IS 'SHA-256 of the cookie';
COMMENT ON COLUMN account_session.amr IS 'RFC 8176';
COMMENT ON COLUMN account_session.owes IS 'what is left to do: challenge, enrolment; empty: signed in';

CREATE TABLE account_ticket (
    secret BYTEA NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C",
    data JSONB DEFAULT '{}' NOT NULL,
    created TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    expires TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (secret)
);
CREATE INDEX account_ticket_account ON account_ticket (account);
CREATE INDEX account_ticket_expires ON account_ticket (expires);
COMMENT ON COLUMN account_ticket.secret IS 'SHA-256 of what the holder shows';
COMMENT ON COLUMN account_ticket.kind IS 'verify, invitation, reset, code, passkey, federation';
"""

PEOPLE_TABLES = (
    "account_ticket",
    "account_session",
    "account_outbox",
    "account_identity",
    "account_factor",
    "account_attempt",
    "account",
)


def upgrade() -> None:
    """Create what the authorization server and the people's pages keep."""
    op.execute(SERVER)
    op.execute(PEOPLE)


def downgrade() -> None:
    """Drop it."""
    for name in (*PEOPLE_TABLES, *SERVER_TABLES):
        op.execute(f"DROP TABLE {name}")
