"""The schema's other part: the concepts of code systems, concept maps, closure tables, loads."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from fhir_server.storage.tables import NOW, ZERO, Key, metadata

__all__ = ["metadata"]

FALSE = text("false")


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _keys(*names: str) -> list[Column[str]]:
    return [Column(name, Key, nullable=False) for name in names]


def _numbers(*names: str) -> list[Column[int]]:
    return [Column(name, Integer, nullable=False) for name in names]


def _imported() -> list[Column[object]]:
    """Return what an import of a resource or a file says of itself.

    Shape:  `origin` is resource, published or loader; `replaced` says since when a newer import counts: what is
            replaced is swept some minutes later, so that nobody who reads it finds it gone
    """
    return [
        Column("origin", Text, nullable=False),
        Column("rid", BigInteger),
        Column("rversion", Integer),
        Column("problem", Text),
        Column("ready", Boolean, nullable=False, server_default=FALSE),
        Column("loaded", DateTime(timezone=True), nullable=False, server_default=NOW),
        Column("replaced", DateTime(timezone=True)),
    ]


code_system = Table(
    "code_system",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    *_keys("url", "version"),
    *_texts("name", "status", "content"),
    Column("cased", Boolean, nullable=False),
    *_texts("meaning"),
    *_keys("supplements", "valueset"),
    Column("properties", JSONB, nullable=False),
    *_imported(),
    Column("concepts", Integer, nullable=False, server_default=ZERO),
)
Index("code_system_url", code_system.c.url, code_system.c.version)
Index("code_system_resource", code_system.c.rid, code_system.c.rversion)

concept = Table(
    "concept",
    metadata,
    *_numbers("system", "n"),
    *_keys("code", "fold"),
    *_texts("display", "definition"),
    Column("active", Boolean, nullable=False),
    Column("abstract", Boolean, nullable=False),
    Column("words", TSVECTOR, nullable=False),
    PrimaryKeyConstraint("system", "n"),
)
Index("concept_code", concept.c.system, concept.c.fold)
Index("concept_words", concept.c.words, postgresql_using="gin")

concept_parent_code = Table("concept_parent_code", metadata, *_numbers("system", "child"), *_keys("parent"))
Index("concept_parent_code_system", concept_parent_code.c.system)

concept_parent = Table(
    "concept_parent",
    metadata,
    *_numbers("system", "child", "parent"),
    PrimaryKeyConstraint("system", "child", "parent"),
)
Index("concept_child", concept_parent.c.system, concept_parent.c.parent, concept_parent.c.child)

concept_ancestor = Table(
    "concept_ancestor",
    metadata,
    *_numbers("system", "descendant", "ancestor"),
    PrimaryKeyConstraint("system", "descendant", "ancestor"),
)
Index(
    "concept_descendant",
    concept_ancestor.c.system,
    concept_ancestor.c.ancestor,
    concept_ancestor.c.descendant,
)

concept_property = Table(
    "concept_property",
    metadata,
    *_numbers("system", "n"),
    *_keys("name"),
    *_texts("kind"),
    *_keys("value"),
    *_texts("value_system", "value_display"),
)
Index("concept_property_concept", concept_property.c.system, concept_property.c.n)
Index(
    "concept_property_value",
    concept_property.c.system,
    concept_property.c.name,
    text("left(value, 200)"),
    concept_property.c.n,
)

designation = Table(
    "designation",
    metadata,
    *_numbers("system", "n"),
    *_texts("language", "use_system", "use_code", "use_display", "value"),
)
Index("designation_concept", designation.c.system, designation.c.n)

concept_map = Table(
    "concept_map",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    *_keys("url", "version"),
    Column("header", JSONB, nullable=False),
    *_imported(),
)
Index("concept_map_resource", concept_map.c.rid, concept_map.c.rversion)
Index("concept_map_url", concept_map.c.url)

concept_mapping = Table(
    "concept_mapping",
    metadata,
    *_numbers("map", "n", "part"),
    *_keys("code"),
    Column("target", Key),
    Column("element", JSONB, nullable=False),
    PrimaryKeyConstraint("map", "n"),
)
Index("concept_mapping_source", concept_mapping.c.map, concept_mapping.c.code)
Index("concept_mapping_target", concept_mapping.c.map, concept_mapping.c.target)

closure = Table("closure", metadata, Column("name", Key, primary_key=True), *_numbers("version"))

closure_concept = Table(
    "closure_concept",
    metadata,
    *_keys("name", "system", "code"),
    *_numbers("version"),
    PrimaryKeyConstraint("name", "system", "code"),
)

closure_relation = Table(
    "closure_relation",
    metadata,
    *_keys("name"),
    *_numbers("version"),
    *_keys("system", "narrow", "broad"),
    PrimaryKeyConstraint("name", "system", "narrow", "broad"),
)

coding = Table("coding", metadata, *_keys("system", "code"), PrimaryKeyConstraint("system", "code"))

load_job = Table(
    "load_job",
    metadata,
    Column("id", Key, primary_key=True),
    *_texts("kind", "source"),
    Column("system", Integer),
    *_texts("stage"),
    *(Column(name, BigInteger, nullable=False, server_default=ZERO) for name in ("position", "rows")),
    Column("state", Text, nullable=False, server_default=text("'running'")),
    Column("problem", Text),
    Column("started", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("updated", DateTime(timezone=True), nullable=False, server_default=NOW),
)
