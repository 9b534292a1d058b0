"""The audit trail: record, guard, seal, verify, export, retain."""

from tenantry.audit.events import Details, Event, Trail, event, record, record_async

__all__ = ["Details", "Event", "Trail", "event", "record", "record_async"]
