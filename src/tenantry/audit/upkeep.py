"""What the log says beside batches, because somebody wished so: another key, a layout that is accepted."""

from __future__ import annotations

from tenantry.audit import layout as layouts
from tenantry.audit import store
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.keys import PrivateKey
from tenantry.audit.seal import Sealer, Writing, leading, settings
from tenantry.errors import SpecError
from tenantry.names import QName


def writing(sealer: Sealer) -> Writing:
    """The log of a sealer's transaction, to add to. Raises SpecError before the first seal, TamperError as a seal does."""
    settings(sealer.conn)
    tip = store.tip(sealer.conn)
    if tip is None:
        raise SpecError("nothing is sealed yet; `tenantry audit seal` first")
    sealer.check(tip)
    return Writing(sealer.conn, tip)


def rotate(dsn: str, old: PrivateKey, new: PrivateKey) -> Checkpoint:
    """From now on the new key signs; the old one says so. Raises SpecError for a key of another log."""
    if old.public.name != new.public.name or old.public == new.public:
        raise SpecError(f"the new key must be another one, with the same name, {old.public.name}")
    with leading(dsn, QName("", ""), old) as sealer, sealer.conn.transaction():
        log = writing(sealer)
        log.add("key", {"key": str(new.public)})
        return log.sign([old, new])


def accept(dsn: str, table: QName, key: PrivateKey, reason: str) -> Checkpoint:
    """Measure the trail's guards against what they are now, and leave backdated events before it be.

    The log says so, with the reason. Raises SpecError without one.
    """
    words = " ".join(reason.split())
    if not words:
        raise SpecError("accept: needs a reason, which the log then says for ever")
    with leading(dsn, table, key) as sealer, sealer.conn.transaction():
        log = writing(sealer)
        _, layout = layouts.read(sealer.conn, table)
        store.write_layout(sealer.conn, layout)
        log.add("accepted", {"layout": layout.digest, "reason": words})
        return log.sign([key])
