"""Test databases: the application's role may not make one, so the owner's alias does.

``TENANTRY = {"OWNER": "owner"}`` names the alias that ``migrate`` runs on.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings  # type: ignore[import-untyped]
from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]
from django.db import connections  # type: ignore[import-untyped]
from django.db.backends.postgresql import creation  # type: ignore[import-untyped]


class DatabaseCreation(creation.DatabaseCreation):  # type: ignore[misc]  # Django has no types
    """One test database for both aliases: made, migrated, cloned and dropped as the owner, used as the application."""

    @property
    def _owner(self) -> Any:
        alias = getattr(settings, "TENANTRY", {}).get("OWNER")
        if alias is None:
            raise ImproperlyConfigured(
                f"Database {self.connection.alias} serves tenants, and its role cannot make a test database; name the "
                "alias that migrations run on: TENANTRY['OWNER'] = 'owner'"
            )
        return connections[alias].creation

    def test_db_signature(self) -> Any:
        return self._owner.test_db_signature()

    def _get_test_db_name(self) -> Any:
        return self._owner._get_test_db_name()

    def _nodb_cursor(self) -> Any:
        return self._owner._nodb_cursor()

    def create_test_db(self, *args: Any, serialize: bool = False, **kwargs: Any) -> Any:
        """``serialize`` is for test cases that empty tables, and the owner does not see what is in them."""
        owner = self._owner
        name = self._get_test_db_name()
        self.connection.close()
        self._use(name)  # before migrations run, since they may ask this alias
        owner.create_test_db(*args, serialize=False, **kwargs)
        return name

    def destroy_test_db(self, old_database_name: str | None = None, *args: Any, **kwargs: Any) -> None:
        owner = self._owner
        owner.connection.close()
        super().destroy_test_db(old_database_name, *args, **kwargs)
        if old_database_name is not None:
            owner.set_as_test_mirror(self.connection.settings_dict)
            self._use(old_database_name)

    def _use(self, name: str) -> None:
        settings.DATABASES[self.connection.alias]["NAME"] = name
        self.connection.settings_dict["NAME"] = name
