"""Stand-ins for extensions that the lab's server lacks and that tables commonly need for their defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenantry.names import quote

_SQL = "LANGUAGE sql VOLATILE PARALLEL SAFE AS $$ SELECT {} $$"
_RANDOM_UUID = _SQL.format("pg_catalog.gen_random_uuid()")
_FUNCTIONS: Mapping[str, Sequence[tuple[str, str]]] = {
    "uuid-ossp": (
        ("uuid_generate_v1()", f"RETURNS uuid {_RANDOM_UUID}"),
        ("uuid_generate_v1mc()", f"RETURNS uuid {_RANDOM_UUID}"),
        ("uuid_generate_v4()", f"RETURNS uuid {_RANDOM_UUID}"),
        ("uuid_nil()", "RETURNS uuid IMMUTABLE " + "LANGUAGE sql AS $$ SELECT '00000000-0000-0000-0000-000000000000'::uuid $$"),
    ),
    "pgcrypto": (
        ("gen_random_uuid()", f"RETURNS uuid {_RANDOM_UUID}"),
        (
            "gen_random_bytes(integer)",
            "RETURNS bytea " + _SQL.format("pg_catalog.substr(pg_catalog.uuid_send(pg_catalog.gen_random_uuid()), 1, $1)"),
        ),
    ),
}  # fmt: skip


def functions(extension: str, schema: str) -> tuple[str, ...]:
    """The statements that make an extension's stand-in; empty when there is none."""
    return tuple(
        f"CREATE FUNCTION {quote(schema)}.{name} {body}" for name, body in _FUNCTIONS.get(extension, ())
    )
