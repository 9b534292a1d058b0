"""An object store as an anchor: a real server that speaks S3, and boto3 as it is configured from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from tenantry import cli
from tenantry.audit import anchors, keys, objectstore, seal
from tenantry.audit.anchors import Bucket
from tenantry.audit.checkpoint import Checkpoint
from tenantry.errors import ApplyError, SpecError, TamperError, TenantryError
from tests import trail
from tests.servers import Database, MakeDatabase
from tests.trail import TABLE, Trail


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    server: Any = pytest.importorskip(
        "moto.server", reason="NOT TESTED HERE: moto is not installed"
    ).ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    """An empty bucket, which the environment leads to."""
    for name, value in {
        "AWS_ENDPOINT_URL": store, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    objectstore._client.cache_clear()
    name = f"log-{tmp_path.name.replace('_', '-').lower()}"[:60].rstrip("-")
    objectstore._client().create_bucket(Bucket=name)
    yield Bucket(name, "audit/")
    objectstore._client().close()
    objectstore._client.cache_clear()


def point(directory: Path, size: int, root: int = 0) -> Checkpoint:
    if not (directory / "key").exists():
        keys.create(directory / "key", "audit.example.com")
    return Checkpoint("audit.example.com", size, bytes([root]) * 32).signed([keys.load(directory / "key")])


def test_each_checkpoint_is_an_object_and_none_is_replaced(bucket: Bucket, tmp_path: Path) -> None:
    first, second = point(tmp_path, 9), point(tmp_path, 10)
    for one in (second, first, first):  # the same again is no failure: a sealer was ended before it knew
        anchors.publish(bucket, one)
    assert list(objectstore.read(bucket.name, bucket.prefix)) == [first, second]
    assert list(objectstore.read(bucket.name, bucket.prefix, above=9)) == [second]
    with pytest.raises(ApplyError, match="another checkpoint of that size already"):
        anchors.publish(bucket, point(tmp_path, 9, root=1))
    objectstore._client().put_object(Bucket=bucket.name, Key="audit/zzz", Body=b"no checkpoint")
    assert list(objectstore.read(bucket.name, bucket.prefix)) == [first, second]


def test_what_the_store_refuses_is_told(bucket: Bucket, tmp_path: Path) -> None:
    nowhere = Bucket(f"{bucket.name}-not", "")
    with pytest.raises(
        ApplyError, match=r"s3://.*-not/: did not take the checkpoint of size 3 \(.*NoSuchBucket"
    ):
        anchors.publish(nowhere, point(tmp_path, 3))
    with pytest.raises(SpecError, match="checkpoints cannot be read"):
        list(objectstore.read(nowhere.name, ""))
    assert anchors.parse("s3://b/p/q") == Bucket("b", "p/q")
    with pytest.raises(SpecError, match="s3://BUCKET/PREFIX"):
        anchors.parse("s3://")


def test_without_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    objectstore._client.cache_clear()
    with pytest.raises(TenantryError, match=r"pip install 'tenantry\[s3\]'"):
        list(objectstore.read("b", ""))


def test_a_trail_that_was_cut_is_found_by_the_bucket(
    bucket: Bucket, db: Database, make_db: MakeDatabase, tmp_path: Path
) -> None:
    t = trail.make(db, tmp_path)
    text = str(bucket)
    t.event("acme")
    seal.seal(db.dsn, TABLE, t.key, [anchors.parse(text)])
    old = make_db(template=db)
    t.event("acme")
    with seal.leading(db.dsn, TABLE, t.key, [bucket]) as sealer:
        assert sealer.once().unanchored == ()
    assert [p.size for p in objectstore.read(bucket.name, bucket.prefix)] == [3, 4]
    assert verified(t, text) == 0
    cut = Trail(old, t.key, t.anchor)
    assert verified(cut, text) == 1  # the control is the line before
    with pytest.raises(TamperError, match="an anchor knows a log of 4 records, and this one has 3"):
        seal.seal(old.dsn, TABLE, t.key, [bucket])
    with psycopg.connect(old.dsn) as conn:
        assert conn.execute("SELECT max(size) FROM tenantry_audit.checkpoints").fetchone() == (3,)


def verified(t: Trail, anchor: str) -> int:
    public = t.anchor.with_name("seal.pub")
    public.write_text(f"{t.key.public}\n", encoding="ascii")
    arguments = [
        "audit",
        "verify",
        "--dsn",
        t.db.dsn,
        "--public-key",
        str(public),
        "--anchor",
        anchor,
        "--table",
        "audit_logs",
    ]
    return CliRunner().invoke(cli.app, arguments).exit_code
