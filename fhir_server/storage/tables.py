"""The schema, declared once: what migrations create and what the statements in this folder rely on."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

metadata = MetaData()
rid_sequence = Sequence("rid_seq", metadata=metadata, cache=32)
Key = Text(collation="C")
EMPTY = text("'{}'")


def whose() -> tuple[Column[list[int]], Column[list[int]]]:
    """Return the columns that say whose a version is beside `pid`, and how sensitive; NULL in the usual case."""
    return (
        Column("owners", ARRAY(BigInteger), comment="rids of all its patients, NULL: pid says it all"),
        Column("labels", ARRAY(Integer), comment="numbers of its security labels"),
    )


resource = Table(
    "resource",
    metadata,
    Column(
        "rid", BigInteger, primary_key=True, server_default=rid_sequence.next_value(), autoincrement=False
    ),
    Column("type", SmallInteger, nullable=False),
    Column("id", Key, nullable=False),
    Column("version", Integer, nullable=False, server_default="0", comment="0: only referred to so far"),
    Column("updated", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("live", Boolean, nullable=False, server_default=text("false"), comment="has content, not deleted"),
    Column("method", SmallInteger, nullable=False, server_default="0"),
    Column("pid", BigInteger, comment="rid of its one patient"),
    *whose(),
    Column("d0", BigInteger, nullable=False, server_default=text("(-9223372036854775807 - 1)")),
    Column("d1", BigInteger, nullable=False, server_default=text("(-9223372036854775807 - 1)")),
    Column("tokens", ARRAY(BigInteger), nullable=False, server_default=EMPTY),
    Column("posts", ARRAY(BigInteger), nullable=False, server_default=EMPTY),
    Column("present", ARRAY(Integer), nullable=False, server_default=EMPTY),
    Column("digests", ARRAY(BigInteger), nullable=False, server_default=EMPTY),
    Column("tail", LargeBinary),
    UniqueConstraint("type", "id", name="resource_identity"),
)
Index("resource_type", resource.c.type, resource.c.rid, postgresql_where=resource.c.live)
Index(
    "resource_type_updated",
    resource.c.type,
    resource.c.updated,
    resource.c.rid,
    postgresql_where=resource.c.version > 0,
)
Index("resource_updated", resource.c.updated, resource.c.rid, postgresql_where=resource.c.version > 0)
Index(
    "resource_patient",
    resource.c.pid,
    resource.c.type,
    resource.c.d0,
    resource.c.rid,
    postgresql_where=resource.c.live,
)
Index("resource_date", resource.c.type, resource.c.d0, resource.c.rid, postgresql_where=resource.c.live)
Index(
    "resource_long",
    resource.c.type,
    resource.c.d0,
    resource.c.d1,
    postgresql_where=text("live AND d1 > d0 + 86400000000"),
)
Index(
    "resource_owners",
    resource.c.owners,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},
    postgresql_where=resource.c.owners.is_not(None),
)
Index("resource_tokens", resource.c.tokens, postgresql_using="gin", postgresql_with={"fastupdate": "off"})

resource_version = Table(
    "resource_version",
    metadata,
    Column("rid", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("updated", DateTime(timezone=True), nullable=False),
    Column("live", Boolean, nullable=False),
    Column("method", SmallInteger, nullable=False),
    Column("pid", BigInteger),
    *whose(),
    Column("tail", LargeBinary),
    PrimaryKeyConstraint("rid", "version"),
)
Index(
    "resource_version_type_updated",
    resource_version.c.type,
    resource_version.c.updated,
    resource_version.c.rid,
)
Index("resource_version_updated", resource_version.c.updated, resource_version.c.rid)

posting = Table(
    "posting",
    metadata,
    Column("h", BigInteger, nullable=False),
    Column("pid", BigInteger),
    Column("d0", BigInteger, nullable=False),
    Column("rid", BigInteger, nullable=False),
)
Index("posting_hash", posting.c.h, posting.c.d0, posting.c.rid)
Index(
    "posting_patient",
    posting.c.pid,
    posting.c.h,
    posting.c.d0,
    posting.c.rid,
    postgresql_where=posting.c.pid.is_not(None),
)

edge = Table(
    "edge",
    metadata,
    Column("src", BigInteger, nullable=False),
    Column("param", Integer, nullable=False),
    Column("dst", BigInteger, nullable=False),
)
Index("edge_forward", edge.c.src, edge.c.param, edge.c.dst)
Index("edge_reverse", edge.c.dst, edge.c.param, edge.c.src)

idx_string = Table(
    "idx_string",
    metadata,
    Column("rid", BigInteger, nullable=False),
    Column("param", Integer, nullable=False),
    Column("norm", Key, nullable=False),
    Column("exact", Text, nullable=False),
)
Index("idx_string_prefix", idx_string.c.param, text('left(norm, 500) COLLATE "C"'), idx_string.c.rid)
Index("idx_string_rid", idx_string.c.rid)
Index(
    "idx_string_trigram",
    idx_string.c.norm,
    postgresql_using="gin",
    postgresql_ops={"norm": "gin_trgm_ops"},
    postgresql_with={"fastupdate": "on", "gin_pending_list_limit": "512"},
)

idx_date = Table(
    "idx_date",
    metadata,
    Column("rid", BigInteger, nullable=False),
    Column("param", Integer, nullable=False),
    Column("lo", BigInteger, nullable=False),
    Column("hi", BigInteger, nullable=False),
)
Index("idx_date_lo", idx_date.c.param, idx_date.c.lo, idx_date.c.rid)
Index("idx_date_hi", idx_date.c.param, idx_date.c.hi, idx_date.c.rid)
Index("idx_date_rid", idx_date.c.rid)

idx_number = Table(
    "idx_number",
    metadata,
    Column("rid", BigInteger, nullable=False),
    Column("param", Integer, nullable=False),
    Column("lo", Numeric, nullable=False),
    Column("hi", Numeric, nullable=False),
    Column("unit", BigInteger),
    Column("clo", Numeric),
    Column("chi", Numeric),
    Column("code", BigInteger),
)
Index("idx_number_value", idx_number.c.param, idx_number.c.lo)
Index(
    "idx_number_canonical",
    idx_number.c.param,
    idx_number.c.unit,
    idx_number.c.clo,
    postgresql_where=idx_number.c.unit.is_not(None),
)
Index("idx_number_rid", idx_number.c.rid)

idx_composite = Table(
    "idx_composite",
    metadata,
    Column("rid", BigInteger, nullable=False),
    Column("param", Integer, nullable=False),
    Column("keys", ARRAY(BigInteger), nullable=False),
    *(Column(name, Numeric) for name in ("lo", "hi")),
    Column("unit", BigInteger),
    *(Column(name, Numeric) for name in ("clo", "chi")),
    Column("code", BigInteger),
    *(Column(name, Numeric) for name in ("lo2", "hi2")),
    *(Column(name, BigInteger) for name in ("dlo", "dhi")),
    Column("norm", Key),
    Column("exact", Text),
)
Index("idx_composite_rid", idx_composite.c.rid)

idx_position = Table(
    "idx_position",
    metadata,
    Column("rid", BigInteger, nullable=False),
    Column("param", Integer, nullable=False),
    Column("lat", Double, nullable=False),
    Column("lon", Double, nullable=False),
)
Index("idx_position_latitude", idx_position.c.param, idx_position.c.lat)
Index("idx_position_rid", idx_position.c.rid)

idx_text = Table(
    "idx_text",
    metadata,
    Column("rid", BigInteger, nullable=False),
    Column("words", TSVECTOR, nullable=False),
)
Index("idx_text_rid", idx_text.c.rid)
Index(
    "idx_text_words",
    idx_text.c.words,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "on", "gin_pending_list_limit": "2048"},
)

label = Table(
    "label",
    metadata,
    Column("param", Integer, nullable=False),
    Column("norm", Key, nullable=False),
    Column("h", BigInteger, nullable=False),
    PrimaryKeyConstraint("param", "h"),
)
Index("label_prefix", label.c.param, text('left(norm, 500) COLLATE "C"'))

contained = Table(
    "contained",
    metadata,
    Column("rid", BigInteger, primary_key=True, autoincrement=False),
    Column("container", BigInteger, nullable=False),
    Column("local", Key, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("pid", BigInteger),
    Column("d0", BigInteger, nullable=False),
    Column("d1", BigInteger, nullable=False),
    Column("tokens", ARRAY(BigInteger), nullable=False),
    Column("posts", ARRAY(BigInteger), nullable=False),
    Column("present", ARRAY(Integer), nullable=False),
)
Index("contained_container", contained.c.container)
Index("contained_type", contained.c.type, contained.c.rid)
Index(
    "contained_tokens",
    contained.c.tokens,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},
)

epoch = Table(
    "epoch",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

custom_param = Table(
    "custom_param",
    metadata,
    Column("param", Integer, primary_key=True, autoincrement=False),
    Column("source", BigInteger, nullable=False, comment="rid of its SearchParameter, 0: several"),
    Column("since", BigInteger, nullable=False, comment="epoch from which on it was there without a break"),
    Column("ready", Boolean, nullable=False),
)

ZERO = text("0")
NOW = text("clock_timestamp()")

reindex_job = Table(
    "reindex_job",
    metadata,
    Column("id", Key, primary_key=True),
    Column("why", Text, nullable=False),
    Column("types", ARRAY(SmallInteger), nullable=False, comment="empty: every type"),
    Column("params", ARRAY(Integer), nullable=False, server_default=EMPTY),
    Column("rewrite", Boolean, nullable=False, server_default=text("false")),
    Column("state", Text, nullable=False, server_default=text("'queued'")),
    Column("epoch", BigInteger, nullable=False, server_default=ZERO),
    Column("created", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("started", DateTime(timezone=True)),
    Column("finished", DateTime(timezone=True)),
    Column("updated", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("last", BigInteger, nullable=False, server_default=ZERO, comment="greatest rid to look at"),
    Column(
        "place",
        SmallInteger,
        nullable=False,
        server_default=ZERO,
        comment="position of the current type among the types",
    ),
    Column("rid", BigInteger, nullable=False, server_default=ZERO),
    *(Column(name, BigInteger, nullable=False, server_default=ZERO) for name in ("total", "done", "written")),
    Column("problem", Text),
)
Index(
    "reindex_job_open",
    reindex_job.c.created,
    postgresql_where=reindex_job.c.state.in_(["queued", "running"]),
)

secret = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
