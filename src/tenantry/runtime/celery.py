"""Celery: each task runs in the tenant scope that it was asked for in.

``Celery("shop", task_cls="tenantry.runtime.celery:Task")``, or ``@app.task(base=Task)`` for single ones. What goes along
is in :mod:`tenantry.runtime.jobs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, ClassVar

import celery  # type: ignore[import-untyped]
from celery import signals

from tenantry.errors import NoTenant, TenantError
from tenantry.runtime.jobs import PREFIX, scoped, written
from tenantry.runtime.scope import Scope, current, current_or_none, entered, tenant

_OPENED = "tenantry_opened"  # in a task's request
_BUILT_IN = "celery."  # how the names of Celery's own tasks begin: they work for whoever publishes them, or for nobody


class Task(celery.Task):  # type: ignore[misc]  # celery has no types
    """A task of one tenant, that of the scope in which it is published; outside of any, publishing raises NoTenant.

    Retries, links, chains, groups and chords keep the scope. A message without it, or with a malformed one, makes the
    task fail with NoTenant before its code runs. ``needs_tenant = False`` is for what serves no tenant, such as what
    beat starts: it may be published anywhere and runs under ``no_tenant()``. Called as a function, a task runs in the
    caller's scope.
    """

    abstract = True
    needs_tenant: ClassVar[bool] = True

    def apply_async(
        self, args: Any = None, kwargs: Any = None, task_id: Any = None, producer: Any = None, link: Any = None,
        link_error: Any = None, shadow: Any = None, **options: Any,
    ) -> Any:  # fmt: skip
        options["headers"] = self._headers(options.get("headers"))
        return super().apply_async(args, kwargs, task_id, producer, link, link_error, shadow, **options)

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        options["headers"] = self._headers(options.get("headers"))
        return super().apply(args, kwargs, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            if self.needs_tenant:
                current()
            return super().__call__(*args, **kwargs)
        # Its start has entered the scope, or could not; what a receiver of a signal raises, Celery only logs.
        with self._scope():
            return self.run(*args, **kwargs)

    def _headers(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """The headers of a message, with the scope of now unless they carry one."""
        if _carries(given):
            return dict(given or {})
        scope = current_or_none()
        if self._must_have and (scope is None or scope.tenant is None):
            raise NoTenant(
                f"task {self.name} is published outside of a tenant's scope; put it under `with tenant(id):`, "
                "or give the task needs_tenant = False if it serves none"
            )
        return {**(given or {}), **(written(scope) if scope is not None else {})}

    @property
    def _must_have(self) -> bool:
        return self.needs_tenant and not str(self.name).startswith(_BUILT_IN)

    def _scope(self) -> AbstractContextManager[Any]:
        """The scope that the running task works in. Raises NoTenant."""
        received = _received(self.request)
        if not self.needs_tenant or not (self._must_have or _carries(received)):
            return entered(Scope(None))
        opened = scoped(received)
        if not isinstance(opened, tenant):
            raise NoTenant(f"task {self.name} needs a tenant and its message says that there is none")
        return opened


def _carries(headers: Mapping[str, Any] | None) -> bool:
    return any(str(key).startswith(PREFIX) for key in headers or {})


def _received(request: Any) -> dict[str, Any]:
    """The headers of a running task: Celery puts them beside what it knows of the task itself."""
    return {**{k: v for k, v in vars(request).items() if k.startswith(PREFIX)}, **(request.headers or {})}


def _start(task: Any = None, **_: Any) -> None:
    """Enter the scope around the whole task, so that what Celery publishes after it is published inside."""
    if isinstance(task, Task):
        with suppress(TenantError):  # the task itself is going to fail with it
            opened = task._scope()
            opened.__enter__()
            setattr(task.request, _OPENED, opened)


def _end(task: Any = None, **_: Any) -> None:
    opened = getattr(task.request, _OPENED, None) if isinstance(task, Task) else None
    if opened is not None:
        opened.__exit__(None, None, None)


def _publish(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """``app.send_task()`` knows a task by name only; its message gets the scope of now, where there is one."""
    scope = current_or_none()
    if headers is not None and scope is not None and not _carries(headers):
        headers.update(written(scope))


signals.task_prerun.connect(_start, weak=False)
signals.task_postrun.connect(_end, weak=False)
signals.before_task_publish.connect(_publish, weak=False)
