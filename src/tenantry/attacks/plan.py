"""Reading the server's plans: each scan of a tenant's table must ask whose row it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.attacks.lab import Context, Lab, Result, Run
from tenantry.attacks.sabotage import opened, shut
from tenantry.attacks.target import Aim, Target
from tenantry.attacks.verdict import Control, Try, judge, meaning
from tenantry.finding import Outcome
from tenantry.names import QName, display, quote

NAME = "plan"
WHY = "A statement is planned without the tenant's condition, or with a tenant that the plan has kept."
WRITES = False
SABOTAGE = opened("DELETE")
REPAIR = shut("DELETE")

_CONDITIONS = ("Filter", "Index Cond", "Recheck Cond", "TID Cond", "Order By")
# What only the session decides: a function that is called when the plan runs, or a sub-query that was planned for it.
_SESSION = re.compile(r"\w\(|InitPlan|\$\d")
EXPLAIN = "EXPLAIN (VERBOSE, FORMAT JSON) "


@dataclass(frozen=True, slots=True)
class Scan:
    """A node of a plan that reads a relation: the conditions on it, and ``session``: whether they ask the session."""

    relation: QName
    node: str
    condition: str
    session: bool


def applies(target: Target) -> bool:
    """To every table."""
    return bool(target.border)


def run(lab: Lab, aim: Aim) -> Outcome:
    """Statements without WHERE are planned and never run; the control is the administrator's plan, without the condition."""
    target = aim.target
    change = next((c.name for c in target.table.columns if not c.generated and c.identity != "a"), None)
    statements = [f"SELECT 1 FROM {target.sql}", f"DELETE FROM {target.sql}"]
    statements += [f"UPDATE {target.sql} SET {quote(change)} = NULL"] if change else []
    ghost = lab.nobody[0]
    with lab.as_app(ghost) as run_:
        tries = [planned([target], ghost, statement, run_) for statement in statements]
    with lab.as_admin() as run_:
        seen = run_(EXPLAIN + statements[0])
    bare = [
        s
        for s in scans(seen)
        if s.relation in target.family and not carries(s, target.border | target.people)
    ]
    return judge(lab, NAME, target.label, tries, Control(seen, bool(bare)))


def planned(targets: Iterable[Target], context: Context, statement: str, run_: Run) -> Try:
    """The plan of one statement: each scan of any of the tables must ask whose row it is."""
    run_("SAVEPOINT plan")
    answer = run_(EXPLAIN + statement)
    run_("ROLLBACK TO SAVEPOINT plan")
    if answer.sqlstate:
        return Try(context, EXPLAIN + statement, answer, meaning(answer))
    border = {name: t.border | t.people for t in targets for name in t.family}
    bare = [s for s in scans(answer) if s.relation in border and not carries(s, border[s.relation])]
    if not bare:
        return Try(context, EXPLAIN + statement, answer, "refused")
    said = f"{bare[0].node} on {display(bare[0].relation)} asks "
    said += f"only {bare[0].condition}" if bare[0].condition else "nothing"
    return Try(context, f"EXPLAIN {statement}", Result(1, message=said), "reached")


def carries(scan: Scan, border: frozenset[str]) -> bool:
    """Whether the conditions on a scan compare what says whose row it is with something of the session."""
    found = re.findall(r'"((?:[^"]|"")+)"|([\w$]+)', scan.condition)
    words = {quoted.replace('""', '"') or plain for quoted, plain in found}
    return scan.session and bool(words & border or "SubPlan" in words)


def scans(answer: Result) -> tuple[Scan, ...]:
    """Every scan of a relation in a plan that EXPLAIN gave as JSON."""
    if answer.sqlstate or not answer.first:
        return ()
    return tuple(_scans(_tree(answer)))


def _scans(node: Mapping[str, Any]) -> Iterator[Scan]:
    if "Relation Name" in node and node["Node Type"] != "ModifyTable":  # it reads nothing itself
        condition = " AND ".join(str(node[key]) for key in _CONDITIONS if key in node)
        name = QName(node.get("Schema", ""), node["Relation Name"])
        yield Scan(name, node["Node Type"], condition, any(_SESSION.search(c) for c in _below(node)))
    for inner in node.get("Plans", ()):
        yield from _scans(inner)


def _below(node: Mapping[str, Any]) -> Iterator[str]:
    """The conditions of a node and of all that is below it, as its sub-queries are."""
    yield from (str(node[key]) for key in (*_CONDITIONS, "One-Time Filter") if key in node)
    for inner in node.get("Plans", ()):
        yield from _below(inner)


def calls(answer: Result) -> bool:
    """Whether a plan reads rows out of functions, which say nothing of where they have them from."""
    return "Function Scan" in json.dumps(answer.first[0] if answer.first else "")


def dear(lab: Lab, target: Target) -> str:
    """Why no scan of a table is made, or nothing: the planner would read all of it, and finds that too dear."""
    if lab.how.writes:
        return ""
    with lab.as_app(lab.nobody[0]) as run_:
        answer = run_(f"{EXPLAIN}SELECT 1 FROM {target.sql}")
    if answer.sqlstate or not answer.first:
        return ""
    whole = any(s.node == "Seq Scan" and s.relation in target.family for s in scans(answer))
    dearly = cost(answer)
    return (
        f"reading all of it is too dear (cost {dearly:.0f}): judged by its plan"
        if whole and dearly > lab.how.costly
        else ""
    )


def cost(answer: Result) -> float:
    """What the planner finds a statement to cost; 0 where it was not planned."""
    return float(_tree(answer)["Total Cost"]) if answer.first and not answer.sqlstate else 0.0


def _tree(answer: Result) -> Mapping[str, Any]:
    found = answer.first[0] if answer.first else ""
    tree: Mapping[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return tree
