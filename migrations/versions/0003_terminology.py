"""Terminology: the concepts of code systems, what concept maps say, closure tables, loads."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE code_system (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    content TEXT NOT NULL,
    cased BOOLEAN NOT NULL,
    meaning TEXT NOT NULL,
    supplements TEXT COLLATE "C" NOT NULL,
    valueset TEXT COLLATE "C" NOT NULL,
    properties JSONB NOT NULL,
    origin TEXT NOT NULL,
    rid BIGINT,
    rversion INTEGER,
    concepts INTEGER DEFAULT 0 NOT NULL,
    problem TEXT,
    ready BOOLEAN DEFAULT false NOT NULL,
    loaded TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    replaced TIMESTAMPTZ
);
CREATE INDEX code_system_url ON code_system (url, version);
CREATE INDEX code_system_resource ON code_system (rid, rversion);

CREATE TABLE concept (
    system INTEGER NOT NULL,
    n INTEGER NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    fold TEXT COLLATE "C" NOT NULL,
    display TEXT NOT NULL,
    definition TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    abstract BOOLEAN NOT NULL,
    words TSVECTOR NOT NULL,
    PRIMARY KEY (system, n)
);
CREATE INDEX concept_code ON concept (system, fold);
CREATE INDEX concept_words ON concept USING gin (words);

CREATE TABLE concept_parent_code (system INTEGER NOT NULL, child INTEGER NOT NULL, parent TEXT COLLATE "C" NOT NULL);
CREATE INDEX concept_parent_code_system ON concept_parent_code (system);

CREATE TABLE concept_parent (
    system INTEGER NOT NULL,
    child INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    PRIMARY KEY (system, child, parent)
);
CREATE INDEX concept_child ON concept_parent (system, parent, child);

CREATE TABLE concept_ancestor (
    system INTEGER NOT NULL,
    descendant INTEGER NOT NULL,
    ancestor INTEGER NOT NULL,
    PRIMARY KEY (system, descendant, ancestor)
);
CREATE INDEX concept_descendant ON concept_ancestor (system, ancestor, descendant);

CREATE TABLE concept_property (
    system INTEGER NOT NULL,
    n INTEGER NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    value_system TEXT NOT NULL,
    value_display TEXT NOT NULL
);
CREATE INDEX concept_property_concept ON concept_property (system, n);
CREATE INDEX concept_property_value ON concept_property (system, name, left(value, 200), n);

CREATE TABLE designation (
    system INTEGER NOT NULL,
    n INTEGER NOT NULL,
    language TEXT NOT NULL,
    use_system TEXT NOT NULL,
    use_code TEXT NOT NULL,
    use_display TEXT NOT NULL,
    value TEXT NOT NULL
);
CREATE INDEX designation_concept ON designation (system, n);

CREATE TABLE concept_map (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    header JSONB NOT NULL,
    origin TEXT NOT NULL,
    rid BIGINT,
    rversion INTEGER,
    problem TEXT,
    ready BOOLEAN DEFAULT false NOT NULL,
    loaded TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    replaced TIMESTAMPTZ
);
CREATE INDEX concept_map_resource ON concept_map (rid, rversion);
CREATE INDEX concept_map_url ON concept_map (url);

CREATE TABLE concept_mapping (
    map INTEGER NOT NULL,
    n INTEGER NOT NULL,
    part INTEGER NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C",
    element JSONB NOT NULL,
    PRIMARY KEY (map, n)
);
CREATE INDEX concept_mapping_source ON concept_mapping (map, code);
CREATE INDEX concept_mapping_target ON concept_mapping (map, target);

CREATE TABLE closure (name TEXT COLLATE "C" PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE closure_concept (
    name TEXT COLLATE "C" NOT NULL,
    system TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (name, system, code)
);
CREATE TABLE closure_relation (
    name TEXT COLLATE "C" NOT NULL,
    version INTEGER NOT NULL,
    system TEXT COLLATE "C" NOT NULL,
    narrow TEXT COLLATE "C" NOT NULL,
    broad TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (name, system, narrow, broad)
);

CREATE TABLE coding (
    system TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (system, code)
);

INSERT INTO reindex_job (id, why, types)
SELECT gen_random_uuid()::text, 'upgrade', '{}' WHERE EXISTS (SELECT FROM resource WHERE live)
AND NOT EXISTS (SELECT FROM reindex_job WHERE why = 'upgrade' AND state = 'queued');

CREATE TABLE load_job (
    id TEXT COLLATE "C" PRIMARY KEY,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    system INTEGER,
    stage TEXT NOT NULL,
    position BIGINT DEFAULT 0 NOT NULL,
    rows BIGINT DEFAULT 0 NOT NULL,
    state TEXT DEFAULT 'running' NOT NULL,
    problem TEXT,
    started TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    updated TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL
);
"""

NAMES = (
    *("load_job", "coding", "closure_relation", "closure_concept", "closure"),
    *("concept_mapping", "concept_map"),
    *("designation", "concept_property", "concept_ancestor", "concept_parent", "concept_parent_code"),
    *("concept", "code_system"),
)


def upgrade() -> None:
    """Create what terminology needs."""
    op.execute(TABLES)


def downgrade() -> None:
    """Remove it again."""
    for name in NAMES:
        op.execute(f"DROP TABLE {name}")
