"""A proof that one event is in the signed log, for whoever the event belongs to.

It leads from the event's columns over its tenant's subtree, the batch and the log up to a signed checkpoint. Nothing
in it tells of other tenants: their subtrees are blinded hashes, and the record of the batch names no counts.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from tenantry.audit import batch, canon, checkpoint, store, tree
from tenantry.audit.batch import Subtree
from tenantry.audit.entries import Details, Entry
from tenantry.audit.keys import PublicKey
from tenantry.audit.source import Live, begin
from tenantry.errors import SpecError, TamperError
from tenantry.names import QName

Conn = psycopg.Connection[TupleRow]
FORMAT = "tenantry/proof/v1"


@dataclass(frozen=True, slots=True)
class Path:
    """A leaf's place in a tree, and its siblings up to the root, hexadecimal."""

    index: int
    size: int
    siblings: tuple[str, ...]

    def root_is(self, leaf: bytes, root: bytes) -> bool:
        """Whether the path leads from the leaf to the root."""
        return tree.includes(leaf, self.index, self.size, [bytes.fromhex(s) for s in self.siblings], root)


@dataclass(frozen=True, slots=True)
class Proof:
    """``event`` are the sealed columns as text, ``blind`` hides the tenant from others, ``record`` is the batch's."""

    event: Mapping[str, str | None]
    blind: str
    tenant_root: str
    in_tenant: Path
    in_batch: Path
    record: str
    in_log: Path
    checkpoint: str

    def to_json(self) -> str:
        """For a file."""
        return json.dumps({"format": FORMAT} | asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Proof:
        """Read a file. Raises SpecError."""
        try:
            data: dict[str, Any] = json.loads(text)
            if data.pop("format") != FORMAT:
                raise ValueError("another format")
            for key in ("in_tenant", "in_batch", "in_log"):
                data[key] = Path(data[key]["index"], data[key]["size"], tuple(data[key]["siblings"]))
            return cls(**data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SpecError(f"not a proof ({error}); `tenantry audit proof EVENT` makes one") from None


def prove(conn: Conn, table: QName, event: str) -> Proof:
    """The proof of an event, by its id. Raises SpecError for one that is not sealed, TamperError for a changed one."""
    with conn.transaction():
        begin(conn)
        store.require(conn)
        n, sub = _find(conn, event)
        live = Live(conn, table)
        body, details = _record(conn, n)
        layout = store.layouts(conn)[details.layout]
        rows = (live.events(layout.columns, [event]) or {}).get(event, [])
        position = sub.keys.index(event)
        if len(rows) != 1 or canon.leaf(layout.names, rows[0]) != sub.leaves[position]:
            raise TamperError(
                f"event {event}: it is not what was sealed in batch {n}; `tenantry audit verify` says more"
            )
        places = batch.places(details.secret, store.subtrees(conn, [n])[n])
        tip = store.tip(conn)
        assert tip is not None
        log = [tree.leaf(text.encode()) for _, text, _ in store.bodies(conn)]
        return Proof(
            event=dict(zip(layout.names, rows[0], strict=True)),
            blind=batch.blind(details.secret, sub.place).hex(),
            tenant_root=tree.root(sub.leaves).hex(),
            in_tenant=_path(sub.leaves, position),
            in_batch=_path(places, sub.place),
            record=body,
            in_log=_path(log, n),
            checkpoint=str(tip.checkpoint),
        )


def _find(conn: Conn, event: str) -> tuple[int, Subtree]:
    row = conn.execute(
        "SELECT batch, place FROM tenantry_audit.subtrees WHERE keys @> ARRAY[%s::text] ORDER BY batch LIMIT 1",
        (event,),
    ).fetchone()
    if row is None:
        raise SpecError(f"event {event}: no batch has it; look for the id, or `tenantry audit seal` first")
    n, place = row
    return n, next(sub for sub in store.subtrees(conn, [n])[n] if sub.place == place)


def _record(conn: Conn, n: int) -> tuple[str, Details]:
    row = conn.execute("SELECT body, details FROM tenantry_audit.log WHERE n = %s", (n,)).fetchone()
    assert row is not None
    return row[0], Details.parse(row[1] or "")


def _path(leaves: Sequence[bytes], index: int) -> Path:
    return Path(index, len(leaves), tuple(s.hex() for s in tree.inclusion(leaves, index)))


def check(proof: Proof, trusted: Sequence[PublicKey]) -> None:
    """Raise TamperError unless the proof holds under one of the keys."""
    try:
        entry, point = Entry.parse(proof.record), checkpoint.parse(proof.checkpoint)
        root = base64.b64decode(entry.fields["root"], validate=True)
        subtree = bytes.fromhex(proof.tenant_root)
        label = batch.label(
            proof.event["tenant_id"], bytes.fromhex(proof.blind), proof.in_tenant.size, subtree
        )
    except (ValueError, KeyError) as error:
        raise TamperError(f"the proof cannot be read: {error}") from error
    leaf = canon.leaf(tuple(proof.event), tuple(proof.event.values()))
    if not proof.in_tenant.root_is(leaf, subtree):
        raise TamperError("the event is not in its tenant's subtree: it, or the proof, was changed")
    if not proof.in_batch.root_is(label, root):
        raise TamperError("the subtree is not in the batch")
    if (proof.in_log.index, proof.in_log.size) != (entry.n, point.size) or not proof.in_log.root_is(
        entry.leaf, point.root
    ):
        raise TamperError("the batch is not in the log of the checkpoint")
    if not any(point.origin == key.name and point.signed_by(key) for key in trusted):
        raise TamperError("the checkpoint is not signed by a key that you trust")
