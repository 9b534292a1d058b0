"""Policies that open a table, for the sabotages of several attacks."""

from __future__ import annotations


def opened(*commands: str) -> tuple[str, ...]:
    """Statements after which everybody may make these commands on any row; permissive policies are ORed."""
    return tuple(
        f"CREATE POLICY {_name(c)} ON {{table}} FOR {c} {'WITH CHECK' if c == 'INSERT' else 'USING'} (true)"
        for c in commands
    )


def shut(*commands: str) -> tuple[str, ...]:
    """Statements that take that back."""
    return tuple(f"DROP POLICY {_name(c)} ON {{table}}" for c in commands)


def _name(command: str) -> str:
    return f"sabotage_{command.lower()}"
