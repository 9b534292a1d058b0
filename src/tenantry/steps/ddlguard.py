"""Event triggers that refuse changes of the trail's definition; the last step, so that they watch a finished trail.

They need a superuser to make, and bind everybody but a superuser who first switches them off. A later plan that
changes the trail switches them off and on again within its own transactions. Their functions have a schema of
their own: one that is dropped takes its event triggers along before they are asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tenantry import ddl, verify
from tenantry.conversion import Conversion
from tenantry.names import QName, display, literal, qualified, quote
from tenantry.plan import Backfill, Change, Phase
from tenantry.steps import audit
from tenantry.steps.capture import PREFIX
from tenantry.steps.events import PERSONAL, Trail, trail

_STEP = "audit_guard"
# Event trigger, event, and the function behind it.
_GUARDS = (
    ("audit_guard_ddl", "ddl_command_end", "guard_ddl"),
    ("audit_guard_drop", "sql_drop", "guard_drop"),
    ("audit_guard_rewrite", "table_rewrite", "guard_rewrite"),
)


def steps(c: Conversion) -> Iterator[Change]:
    """The functions and event triggers, or nothing where the spec leaves definitions open."""
    t = trail(c)
    if t is None or t.spec.ddl != "guarded":
        return
    phase = Phase.CUTOVER if c.online else Phase.HARDEN
    bodies = {"guard_ddl": _commands(t), "guard_drop": _drops(t), "guard_rewrite": _rewrites(t)}
    schema = f"{t.spec.functions}_guard"
    signatures = {function: f"{qualified(QName(schema, function))}()" for function in bodies}
    known = {f.name: f.source for f in c.catalog.functions if f.schema == schema}
    states = _states(c)
    if all(known.get(f) == body for f, body in bodies.items()) and set(states.values()) == {"always"}:
        return
    made = [
        f"CREATE EVENT TRIGGER {quote(name)} ON {event} EXECUTE FUNCTION {signatures[function]}"
        for name, event, function in _GUARDS if name not in states
    ]  # fmt: skip
    there = schema in {s.name for s in c.catalog.schemas}
    undone = [f"DROP EVENT TRIGGER {quote(name)}" for name, _, _ in _GUARDS]
    undone += [ddl.drop_function(signature) for signature in signatures.values()]
    undone += [] if there else [ddl.drop_schema(schema)]
    # One step: the first guard would refuse the making of the others.
    yield Change(
        id=f"{phase}.{_STEP}", phase=phase, object=_STEP,
        why=f"The definition of {display(t.name)} and of its guards stays as it is, for everybody.",
        apply=(
            *(() if there else (f"CREATE SCHEMA {quote(schema)}",)), *(_create(signatures[f], body) for f, body in bodies.items()), *made, *(_always(n) for n, _, _ in _GUARDS),
        ),
        verify=verify.query(
            *(verify.event_trigger(n) for n, _, _ in _GUARDS),
            *(verify.source(signatures[f], body) for f, body in bodies.items()),
        ),
        revert=() if states else tuple(undone),
    )  # fmt: skip


def _states(c: Conversion) -> dict[str, str]:
    """The state of each guard that is there, by name, from the catalog's ``name (event, state)``."""
    known = {name: f"{name} ({event}, " for name, event, _ in _GUARDS}
    return {
        name: text.removeprefix(head).rstrip(")")
        for name, head in known.items() for text in c.catalog.event_triggers if text.startswith(head)
    }  # fmt: skip


def lifted(c: Conversion, steps: Iterable[Change | Backfill]) -> Iterator[Change | Backfill]:
    """Steps as they are, or with the guards switched off around those that change what they guard."""
    t = trail(c)
    there = list(_states(c))
    for step in steps:
        if t is None or not there or not isinstance(step, Change) or not _touches(t, step):
            yield step
            continue
        off = tuple(f"ALTER EVENT TRIGGER {quote(name)} DISABLE" for name in there)
        on = tuple(_always(name) for name in there)
        yield replace(
            step, apply=(*off, *step.apply, *on), revert=(*off, *step.revert, *on) if step.revert else ()
        )


def _touches(t: Trail, step: Change) -> bool:
    """True for a step about the trail, a function or table of its schema, or a capture trigger."""
    parts = (p.qname for p in t.c.catalog.descendants(t.name))
    guarded = {display(n) for n in (*parts, t.name, t.at(PERSONAL), audit.guard_function(t.name))} | {
        t.spec.functions
    }
    return step.transactional and (
        step.object in guarded
        or step.object == _STEP
        or step.object.startswith(f"{t.spec.functions}.")
        or PREFIX in step.id
    )


def _always(name: str) -> str:
    return f"ALTER EVENT TRIGGER {quote(name)} ENABLE ALWAYS"


def _create(signature: str, body: str) -> str:
    how = "LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp"
    return ddl.create_function(signature, "event_trigger", how, body)


def _own(t: Trail) -> str:
    """What the trail's own functions do passes: nobody is the owner but inside of them."""
    return (
        f"  IF current_user = {literal(t.spec.owner)} AND session_user <> current_user\n"
        "    AND current_setting('role') = 'none' THEN\n    RETURN;\n  END IF;\n"
    )


def _refusal(t: Trail, what: str) -> str:
    hint = "A plan of tenantry changes it; a superuser switches the event triggers audit_guard_… off first."
    return (
        f"    RAISE EXCEPTION {literal('% is refused: it changes % of the audit trail')}, TG_TAG, {what}\n"
        f"      USING ERRCODE = '42501', HINT = {literal(hint)};\n"
    )


def _tables(t: Trail) -> str:
    """The trail, its partitions and the side table of personal data, as oids."""
    return (
        f"WITH RECURSIVE guarded (oid) AS (\n"
        f"      SELECT to_regclass({literal(qualified(t.name))})::oid\n"
        f"      UNION SELECT to_regclass({literal(qualified(t.at(PERSONAL)))})::oid\n"
        "      UNION SELECT i.inhrelid FROM pg_inherits AS i JOIN guarded AS g ON g.oid = i.inhparent\n    )"
    )


def _commands(t: Trail) -> str:
    """ddl_command_end: what was created or altered, and whether the trail still has its name."""
    guard = literal(qualified(audit.guard_function(t.name)) + "()")
    return (
        "\nDECLARE\n  found text;\nBEGIN\n" + _own(t) +
        f"  IF to_regclass({literal(qualified(t.name))}) IS NULL THEN\n" + _refusal(t, "'the name'") + "  END IF;\n"
        f"  {_tables(t)}\n"
        "  SELECT c.object_identity INTO found FROM pg_event_trigger_ddl_commands() AS c\n"
        "    WHERE c.classid = 'pg_class'::regclass AND c.objid IN (SELECT oid FROM guarded)\n"
        "      AND c.command_tag NOT IN ('CREATE INDEX', 'COMMENT')\n"
        "    OR c.classid = 'pg_trigger'::regclass AND EXISTS (\n"
        "      SELECT FROM pg_trigger AS x WHERE x.oid = c.objid AND x.tgrelid IN (SELECT oid FROM guarded))\n"
        "    OR c.classid = 'pg_rewrite'::regclass AND EXISTS (\n"
        "      SELECT FROM pg_rewrite AS x WHERE x.oid = c.objid AND x.ev_class IN (SELECT oid FROM guarded))\n"
        "    OR c.classid = 'pg_policy'::regclass AND EXISTS (\n"
        "      SELECT FROM pg_policy AS x WHERE x.oid = c.objid AND x.polrelid IN (SELECT oid FROM guarded))\n"
        f"    OR c.classid = 'pg_proc'::regclass AND c.objid = to_regprocedure({guard})\n"
        f"    OR c.schema_name = {literal(quote(t.spec.functions))} OR c.schema_name = {literal(t.spec.functions)}\n"
        "    OR c.classid = 'pg_namespace'::regclass AND c.objid IN (\n"
        f"      SELECT n.oid FROM pg_namespace AS n WHERE n.nspname IN ({literal(t.spec.functions)}, {literal(t.name.schema)}))\n"
        "      AND c.command_tag = 'ALTER SCHEMA'\n"
        "    LIMIT 1;\n"
        "  IF found IS NOT NULL THEN\n" + _refusal(t, "found") + "  END IF;\n"
        "  SELECT x.tgname INTO found FROM pg_trigger AS x\n"
        f"    WHERE starts_with(x.tgname::text, {literal(PREFIX)}) AND x.tgenabled <> 'A' LIMIT 1;\n"
        "  IF found IS NOT NULL AND TG_TAG = 'ALTER TABLE' THEN\n" + _refusal(t, "found") + "  END IF;\nEND\n"
    )  # fmt: skip


def _drops(t: Trail) -> str:
    """sql_drop: the objects are gone already, so their names are asked."""
    schemas = ", ".join(literal(s) for s in (t.spec.functions, "tenantry_audit"))
    address = f"ARRAY[{literal(t.name.schema)}, {literal(t.name.name)}]"
    guard = audit.guard_function(t.name)
    return (
        "\nDECLARE\n  found text;\nBEGIN\n" + _own(t) +
        "  SELECT d.object_identity INTO found FROM pg_event_trigger_dropped_objects() AS d\n"
        f"    WHERE d.schema_name IN ({schemas}) OR d.object_type = 'schema' AND d.object_name IN ({schemas})\n"
        f"    OR d.object_type IN ('table', 'table column', 'trigger', 'policy', 'rule', 'table constraint', 'default value')\n"
        f"      AND d.address_names[1:2] = {address}\n"
        f"    OR d.object_type = 'function' AND d.address_names = ARRAY[{literal(guard.schema)}, {literal(guard.name)}]\n"
        f"    OR d.object_type = 'trigger' AND d.original AND starts_with(d.address_names[3], {literal(PREFIX)})\n"
        "    LIMIT 1;\n"
        "  IF found IS NOT NULL THEN\n" + _refusal(t, "found") + "  END IF;\nEND\n"
    )  # fmt: skip


def _rewrites(t: Trail) -> str:
    """table_rewrite: every row written again, and no trigger on rows asked."""
    return (
        "\nDECLARE\n  found oid;\nBEGIN\n" + _own(t) + f"  {_tables(t)}\n"
        "  SELECT g.oid INTO found FROM guarded AS g WHERE g.oid = pg_event_trigger_table_rewrite_oid();\n"
        "  IF found IS NOT NULL THEN\n" + _refusal(t, "found::regclass") + "  END IF;\nEND\n"
    )  # fmt: skip
