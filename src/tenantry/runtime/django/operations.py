"""A migration operation: a new model's table becomes a tenant table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.migrations.operations.base import Operation  # type: ignore[import-untyped]

from tenantry.errors import TenantError
from tenantry.runtime.isolation import Tenancy, isolate, release


class AddTenancy(Operation):  # type: ignore[misc]
    """Isolate the table of a model: policy, forced row level security, default, grants.

    It comes after the CreateModel. Where the tenant is a foreign key, Django makes its index and constraint; where it
    is a plain column, this does. Raises TenantError for a model without the column.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, tenancy: Tenancy | None = None) -> None:
        self.model_name = model_name
        self.tenancy = tenancy or Tenancy()

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        kwargs: dict[str, Any] = {"model_name": self.model_name}
        if self.tenancy != Tenancy():
            kwargs["tenancy"] = self.tenancy
        return type(self).__qualname__, [], kwargs

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Models know nothing of policies."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._run(isolate, schema_editor, to_state.apps.get_model(app_label, self.model_name)._meta)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._run(release, schema_editor, from_state.apps.get_model(app_label, self.model_name)._meta)

    def describe(self) -> str:
        return f"Isolate the tenants of {self.model_name}"

    def _run(self, make: Callable[..., Sequence[str]], schema_editor: Any, meta: Any) -> None:
        field = next((f for f in meta.local_fields if f.column == self.tenancy.column), None)
        if field is None:
            raise TenantError(
                f"model {self.model_name}: has no column {self.tenancy.column}; give it a foreign key to the tenants"
            )
        given = {"index": not field.db_index, "reference": field.remote_field is None}
        for statement in make(meta.db_table.replace('"', ""), self.tenancy, **given):
            schema_editor.execute(statement)
