"""The audit trail: record, guard, seal, verify, export, retain."""
