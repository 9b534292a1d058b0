"""Events as the Open Cybersecurity Schema Framework has them (OCSF 1.4): what security tools read.

Sign-ins are Authentication (3002), changes of accounts Account Change (3001), changes of anything else Entity
Management (3004), all the rest API Activity (6003). The hash that was sealed is ``raw_data_hash``.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from tenantry import __version__
from tenantry.audit.reading import Event

VERSION = "1.4.0"
_OUTCOMES = {"success": (1, "Success", 1), "failure": (2, "Failure", 3), "denied": (2, "Failure", 3)}
_CHANGES = {"create": 1, "insert": 1, "read": 2, "view": 2, "update": 3, "edit": 3, "delete": 4, "remove": 4}
_API = {"create": 1, "insert": 1, "read": 2, "view": 2, "update": 3, "edit": 3, "delete": 4, "remove": 4}
_LOGINS = {"login": 1, "logout": 2}
_ACCOUNTS = {"create": 1, "enable": 2, "disable": 5, "delete": 6, "lock": 9, "unlock": 12}
_ACCOUNT_WORDS = ("account", "user", "member")


def event(names: tuple[str, ...], found: Event) -> dict[str, Any]:
    """The OCSF event of a sealed event."""
    assert found.row is not None
    row = dict(zip(names, found.row, strict=True))
    action = row.get("action") or ""
    subject, _, verb = action.rpartition(".")
    kind, category, activity = _class(subject, verb)
    status, status_text, severity = _OUTCOMES.get(row.get("outcome") or "success", (99, "Other", 1))
    out: dict[str, Any] = {
        "category_uid": category,
        "class_uid": kind,
        "activity_id": activity,
        "type_uid": kind * 100 + activity,
        "time": _milliseconds(row["created_at"]),
        "severity_id": severity,
        "status_id": status,
        "status": status_text,
        "message": action,
        "actor": {"user": _present(uid=row.get("actor_id"), type=row.get("actor_type"))},
        "metadata": _present(
            version=VERSION,
            product={"name": "Tenantry", "vendor_name": "Tenantry", "version": __version__},
            uid=found.key,
            tenant_uid=row.get("tenant_id"),
            correlation_uid=row.get("request_id"),
            sequence=int(number) if (number := row.get("seq")) else None,
        ),
        "raw_data_hash": {"algorithm_id": 3, "algorithm": "SHA-256", "value": found.leaf.hex()},
        "unmapped": {"batch": found.batch, "metadata": _json(row.get("metadata"))},
    }
    if not out["time"]:
        out["unmapped"]["created_at"] = row["created_at"]
    match kind:
        case 3002 | 3001:
            out["user"] = _present(uid=row.get("resource_id") or row.get("actor_id") or "unknown")
        case 3004:
            out["entity"] = _present(type=row.get("resource_type") or subject, uid=row.get("resource_id"))
        case _:
            out["api"] = {"operation": action}
            out["resources"] = [_present(type=row.get("resource_type"), uid=row.get("resource_id"))]
    out["src_endpoint"] = _present(ip=row.get("ip_address")) or {"name": "unknown"}
    return out


def _class(subject: str, verb: str) -> tuple[int, int, int]:
    """Class, category and activity of an action ``subject.verb``; 99 is "other"."""
    if verb in _LOGINS or subject == "auth":
        return 3002, 3, _LOGINS.get(verb, 99)
    if subject.rpartition(".")[2] in _ACCOUNT_WORDS and verb in _ACCOUNTS:
        return 3001, 3, _ACCOUNTS[verb]
    if subject and verb in _CHANGES:
        return 3004, 3, _CHANGES[verb]
    return 6003, 6, _API.get(verb, 99)


def _milliseconds(text: str | None) -> int:
    """Since 1970; 0 of a time that only the server can write, such as infinity."""
    try:
        return int(datetime.fromisoformat(text or "").timestamp() * 1000)
    except ValueError:
        return 0


def _present(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _json(text: str | None) -> Any:
    """A value; the text where a reader's numbers could not hold it as it is, or it is nested too deeply for one."""
    try:
        return json.loads(text, parse_float=_exact) if text else None
    except (ValueError, RecursionError):
        return text


def _exact(text: str) -> float:
    if Decimal(repr(number := float(text))) != Decimal(text):
        raise ValueError(text)
    return number
