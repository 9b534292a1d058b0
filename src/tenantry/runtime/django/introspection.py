"""What Django asks for itself: the catalogs, and which migrations there were. No tenant has a part in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.db.backends.postgresql import introspection  # type: ignore[import-untyped]

from tenantry.runtime.binding import own_work

# How `migrate`, `makemigrations` and `runserver` read the list: this table and nothing else.
_MIGRATIONS = re.compile(r'SELECT ("django_migrations"\."\w+"(, )?)+ FROM "django_migrations"')


def asks_for_itself(statement: object) -> bool:
    """Whether it is Django's own question for the migrations that were applied."""
    return isinstance(statement, str) and _MIGRATIONS.fullmatch(statement) is not None


def _free(method: Callable[..., Any]) -> Callable[..., Any]:
    def asked(*args: Any, **kwargs: Any) -> Any:
        with own_work():
            return method(*args, **kwargs)

    return asked


class DatabaseIntrospection(introspection.DatabaseIntrospection):  # type: ignore[misc]  # Django has no types
    """Looking into the catalogs needs no scope."""

    get_table_list = _free(introspection.DatabaseIntrospection.get_table_list)
    get_table_description = _free(introspection.DatabaseIntrospection.get_table_description)
    get_sequences = _free(introspection.DatabaseIntrospection.get_sequences)
    get_relations = _free(introspection.DatabaseIntrospection.get_relations)
    get_constraints = _free(introspection.DatabaseIntrospection.get_constraints)
