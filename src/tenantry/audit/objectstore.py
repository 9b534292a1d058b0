"""Object stores that speak the protocol of S3, as anchors: one object for each checkpoint, and none is replaced.

Where the store is and who may write there is boto3's own configuration (``AWS_ENDPOINT_URL``, profiles, roles). Whoever
administers the database must not be able to remove objects: lock the bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tenantry.audit import checkpoint
from tenantry.audit.checkpoint import Checkpoint
from tenantry.errors import ApplyError, SpecError, TenantryError

TIMEOUT = 30  # seconds that the store may take for one answer
_THERE = ("PreconditionFailed", "ConditionalRequestConflict")


@cache
def _client() -> Any:
    """Raises TenantryError where boto3 is not installed."""
    try:
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
    except ImportError:
        raise TenantryError("an anchor s3://… needs the package boto3; pip install 'tenantry[s3]'") from None
    return boto3.client(
        "s3", config=Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"max_attempts": 2})
    )


def _errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

    return BotoCoreError, ClientError


def key(prefix: str, size: int) -> str:
    """The name of a checkpoint's object; names are in the order of sizes."""
    return f"{prefix}{size:020}.txt"


def put(bucket: str, prefix: str, point: Checkpoint) -> None:
    """Write a checkpoint, unless it is there. Raises ApplyError when the store did not take it, or has another one."""
    name = key(prefix, point.size)
    try:
        _client().put_object(
            Bucket=bucket, Key=name, Body=str(point).encode(), ContentType="text/plain; charset=utf-8", IfNoneMatch="*"
        )  # fmt: skip
    except _errors() as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        if code not in _THERE:
            raise ApplyError(str(error)) from error
        try:
            there = _get(bucket, name)
        except _errors() as unread:
            raise ApplyError(f"{name} is there, and cannot be read to compare it: {unread}") from unread
        if there is None or (there.origin, there.root) != (point.origin, point.root):
            raise ApplyError(f"{name} holds another checkpoint of that size already") from error


def read(bucket: str, prefix: str, above: int = -1) -> Iterator[Checkpoint]:
    """The checkpoints of a larger size than ``above``, smallest first. Raises SpecError when they cannot be read."""
    after = key(prefix, above) if above >= 0 else prefix
    try:
        pages = _client().get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix, StartAfter=after):
            for entry in page.get("Contents", ()):
                if (found := _get(bucket, entry["Key"])) is not None:
                    yield found
    except _errors() as error:
        raise SpecError(
            f"s3://{bucket}/{prefix}: checkpoints cannot be read ({error}); see to bucket, endpoint and rights"
        ) from None


def _get(bucket: str, name: str) -> Checkpoint | None:
    """None for an object that is no checkpoint."""
    body = _client().get_object(Bucket=bucket, Key=name)["Body"].read()
    try:
        return checkpoint.parse(body.decode())
    except ValueError:
        return None
