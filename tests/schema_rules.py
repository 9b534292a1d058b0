"""Drawing what a spec says of a database, and what else there is in it: triggers, policies, views, comments …"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tenantry.names import QName, columns, literal, quote, spell
from tests.schema_model import IDS, Column, Reference, Relation, Unique
from tests.schema_tables import Drawing


def decide(d: Drawing) -> None:
    for relation in d.relations:
        scope = "tenant"
        if relation.number:
            scope = d.one_of("tenant", "tenant", "tenant", "shared", "through", "ignored")
        relation.rule["scope"] = scope
    for relation in d.relations:
        scope = relation.rule["scope"]
        if scope in ("shared", "ignored") and any(
            r.target.rule["scope"] in ("tenant", "through") and r.target is not relation
            for r in relation.references
        ):
            relation.rule["scope"] = "tenant"
    for relation in d.relations:
        _decide_one(d, relation)


def _decide_one(d: Drawing, relation: Relation) -> None:
    rule = relation.rule
    if rule["scope"] == "through":
        ways = [r for r in relation.references if r.target.rule["scope"] == "tenant"]
        if ways and not relation.child:
            _through(d, relation, ways[0])
        else:
            rule["scope"] = "tenant"
    d.has(f"scope {rule['scope']}")
    if rule["scope"] == "tenant":
        _tenant(d, relation)
    elif not rule["scope"].startswith("t"):
        rule.pop("primary_key")


def _through(d: Drawing, relation: Relation, way: Reference) -> None:
    rule = relation.rule
    rule.pop("primary_key")
    rule["parent"] = spell(way.target.name)
    if sum(r.target is way.target for r in relation.references) > 1 or d.rarely(3):
        rule["on"] = dict(zip(way.columns, way.referenced, strict=True))


def _tenant(d: Drawing, relation: Relation) -> None:
    rule = relation.rule
    column = d.column
    if column not in relation.free([column]):
        column = rule["column"] = "tenant ref"
    rule["backfill"] = _source(d, relation)
    ids = IDS[d.type]
    if d.rarely(6) and (d.there or not d.many):
        kind = d.one_of("not null", "nullable", "empty here and there")
        relation.columns.append(Column(column, d.type, kind == "not null"))
        for here in [relation, *([relation.child] if relation.child else [])]:
            for i, (row, realm) in enumerate(zip(here.rows, here.realms, strict=True)):
                if kind != "empty here and there" or i % 2:
                    row[column] = literal(ids[d.realms.index(realm)])
        d.has(f"tenant column there, {kind}")
        if kind == "not null" and d.there and d.rarely(2):
            rule.pop("backfill")
    rule["unique"] = {}
    for u in relation.uniques:
        if u.kind == "primary" and _held(d, relation, u):
            rule["primary_key"] = "global"
        elif u.name and u.kind != "primary":
            _decide_unique(d, rule["unique"], u, _held(d, relation, u))
    if relation.child is not None and d.rarely(2):
        relation.child.rule |= {"scope": "tenant", "backfill": rule["backfill"]} if "backfill" in rule else {}


def _held(d: Drawing, relation: Relation, u: Unique) -> bool:
    """True where the conversion would refuse to replace a key, which it may do now and then."""
    pointing = [
        other for other in d.relations for r in other.references
        if r.target is relation and set(r.referenced) == set(u.columns)
    ]  # fmt: skip
    used = any(other.rule["scope"] != "tenant" for other in pointing) or (
        pointing and relation.partitioned_by
    )
    return not d.rarely(8) and bool(used or ("exclusion" in u.kind and "USING btree" not in u.sql))


def _decide_unique(d: Drawing, rules: dict[str, Any], u: Unique, held: bool) -> None:
    match "global" if held else d.one_of("left out", "left out", "tenant", "global", "renamed"):
        case "tenant":
            rules[u.name] = "tenant"
        case "global":
            rules[u.name] = {"scope": "global", "reason": "drawn"}
            d.has("unique that stays global")
        case "renamed":
            rules[u.name] = {"scope": "tenant", "name": f"renamed {d.next()}"}


def _source(d: Drawing, relation: Relation) -> dict[str, Any]:
    ways = [
        r for r in relation.references
        if r.target.rule["scope"] == "tenant" and r.target.number < relation.number and r.validated and r.not_null
    ]  # fmt: skip
    ids = IDS[d.type]
    kinds = ["constant" if not d.many else "column"] * 2 + ["parent"] * (2 if ways else 0)
    if d.there or not d.many:
        kinds.append("expression")
    if d.many and d.there:
        kinds.append("mapping")
    kind = d.one_of(*kinds)
    d.has(f"backfill {kind}")
    match kind:
        case "constant":
            return {"constant": ids[0]}
        case "column":
            return {
                "column": d.realm,
                "matches": d.match,
                "create": not d.there or d.rarely(2),
            }
        case "parent":
            way = d.one_of(*ways)
            pairs = dict(zip(way.columns, way.referenced, strict=True))
            one = sum(r.target is way.target for r in relation.references) == 1 and not d.rarely(3)
            return {"parent": spell(way.target.name)} | ({} if one else {"on": pairs})
        case "mapping":
            return {"mapping": "realms", "on": {d.realm: "realm"}, "tenant": "tenant"}
    if not d.many:
        return {"expression": f"{literal(ids[0])} -- drawn"}
    return {
        "expression": f"CASE {quote(d.realm)} WHEN 'r1' THEN {literal(ids[0])} ELSE {literal(ids[1])} END"
    }


def tenancy(d: Drawing) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tenants": spell(QName("public", d.tenants)),
        "key": d.key,
        "type": d.type,
    }
    found["column"] = d.column
    if d.rarely(4):
        found["setting"] = "my_app.tenant"
    d.has("tenants table there" if d.there else "", f"tenant type {d.type}")
    if not d.many and not d.there:
        found["default"] = {"id": IDS[d.type][0], "name": "The first one's", "slug": "r1"}
    return found


def rules(d: Drawing) -> dict[str, Any]:
    found: dict[str, Any] = {"realms": {"scope": "ignored"}}
    for relation in d.relations:
        for here in [relation, *([relation.child] if relation.child else [])]:
            if here.rule:
                found[spell(here.name)] = {k: v for k, v in here.rule.items() if v != {}}
    return found


# What else is there


def surround(d: Drawing, relation: Relation) -> None:
    tenant = relation.rule["scope"] == "tenant"
    for make in (_triggers, _policies, _views, _marks, _dropped):
        make(d, relation)
    if relation.triggers and tenant:
        harmless = relation.triggers <= {"look", "later", "whole"}
        relation.rule["triggers"] = d.one_of("disable", "fire") if harmless else "disable"
        d.has(*(f"trigger {t}" for t in relation.triggers))
    if relation.policies and relation.rule["scope"] in ("tenant", "through"):
        relation.rule["policies"] = relation.policies


def _triggers(d: Drawing, relation: Relation) -> None:
    for kind in d.draw(st.sets(st.sampled_from(["touch", "refuse", "look", "later", "whole"]), max_size=2)):
        if d.rarely(3):
            relation.triggers.add(kind)
    if "touch" in relation.triggers:
        relation.columns.append(
            Column("updated_at", "timestamptz", True, "DEFAULT '2024-01-01'", given=False)
        )
    for kind in sorted(relation.triggers):
        text = {
            "touch": "BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION touch()",
            "refuse": "BEFORE UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION refuse()",
            "look": "AFTER INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION look()",
            "later": "AFTER UPDATE ON {} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look()",
            "whole": "AFTER UPDATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION look()",
        }[kind].format(relation.sql)
        word = "CONSTRAINT TRIGGER" if kind == "later" else "TRIGGER"
        relation.after.append(f'CREATE {word} "on {kind}" {text}')
        if d.rarely(5):
            state = d.one_of("DISABLE", "ENABLE ALWAYS", "ENABLE REPLICA")
            relation.after.append(f'ALTER TABLE {relation.sql} {state} TRIGGER "on {kind}"')


def _policies(d: Drawing, relation: Relation) -> None:
    if not d.rarely(6):
        return
    keep = d.rarely(2)
    text = "AS RESTRICTIVE USING (true)" if keep else d.one_of("USING (true)", "FOR SELECT USING (true)")
    relation.after.append(f'CREATE POLICY "was here" ON {relation.sql} {text}')
    relation.after.append(f"ALTER TABLE {relation.sql} ENABLE ROW LEVEL SECURITY")
    if d.rarely(2):
        relation.after.append(f"ALTER TABLE {relation.sql} FORCE ROW LEVEL SECURITY")
    relation.policies["was here"] = "keep" if keep else "drop"
    d.has("policy that stays" if keep else "policy that goes")


def _views(d: Drawing, relation: Relation) -> None:
    kind = d.one_of("", "", "", "", "plain", "invoker", "materialized", "grouped")
    if not kind or (kind == "grouped" and (relation.primary is None or not relation.primary.referable)):
        return
    if kind == "grouped" and "primary_key" in relation.rule and not d.rarely(8):
        relation.rule["primary_key"] = "global"
    what, end = "*", ""
    if kind == "grouped" and relation.primary is not None:
        end = f" GROUP BY {columns(relation.primary.columns)}"
    word = "MATERIALIZED VIEW" if kind == "materialized" else "VIEW"
    option = " WITH (security_invoker = true)" if kind == "invoker" else ""
    relation.after.append(
        f'CREATE {word} "view {relation.number}"{option} AS SELECT {what} FROM {relation.sql}{end}'
    )
    d.has(f"view {kind}")


def _marks(d: Drawing, relation: Relation) -> None:
    """What hangs on keys: comments, CLUSTER, REPLICA IDENTITY; and indexes that are no keys."""
    for u in relation.uniques:
        if not u.name or not u.columns:
            continue
        where = f"{quote(u.name)} ON {relation.sql}"
        if u.kind in ("primary", "constraint", "exclusion") and d.rarely(6):
            relation.after.append(f"COMMENT ON CONSTRAINT {where} IS 'it''s 100%'")
            d.has("comment")
        whole = u.kind in ("primary", "constraint", "index") and u.referable
        firm = all(relation.column(c).not_null for c in u.columns)
        if whole and firm and not relation.partitioned_by and d.rarely(8):
            text = d.one_of("CLUSTER ON", "REPLICA IDENTITY USING INDEX")
            relation.after.append(f"ALTER TABLE {relation.sql} {text} {quote(u.name)}")
            d.has(text)
    if d.rarely(5):
        relation.after.append(f"CREATE INDEX ON {relation.sql} ({quote(relation.columns[0].name)})")


def _dropped(d: Drawing, relation: Relation) -> None:
    if d.rarely(6):
        relation.after.append(f"ALTER TABLE {relation.sql} ADD COLUMN gone integer DEFAULT 7")
        relation.after.append(f"ALTER TABLE {relation.sql} DROP COLUMN gone")
        d.has("dropped column")
