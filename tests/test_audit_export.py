"""Exports and proofs: an outsider verifies them with the public key alone, and a change of a file is found."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel
from typer.testing import CliRunner, Result

from tenantry import cli
from tenantry.audit import anchors, archive, export, files, keys, proof
from tenantry.audit.proof import Proof
from tenantry.audit.verify import Report, verify
from tenantry.errors import CatalogError, SpecError, TamperError
from tests import trail
from tests.servers import Server
from tests.trail import TABLE, Trail

TEXTS = ["", "a,b", 'say "no"', "two\nlines", "\x1f1:x", "é 🎉 עב", "-", "\r\n", "x" * 5000]


@pytest.fixture(scope="module")
def sealed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    with server.databases() as make:
        t = trail.make(make(), tmp_path_factory.mktemp("trail"))
        for text in TEXTS:
            t.event("acme", text or "empty")
            t.do(
                "INSERT INTO audit_logs (tenant_id, actor_id, action) VALUES ('umbrella', %(text)s, 'x')",
                text=text,
            )
        t.event(None)
        t.seal()
        t.do("ALTER TABLE audit_logs ADD COLUMN session_id text DEFAULT 's-1'")
        t.event("acme", "later")
        t.seal()
        yield t


def reader(t: Trail) -> psycopg.Connection[Any]:
    conn = t.db.connect()
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    return conn


def write(t: Trail, directory: Path, kind: str = "jsonl", **options: Any) -> export.Exported:
    with closing(reader(t)) as conn:
        return export.export(conn, TABLE, directory, kind, **options)


def check(t: Trail, directory: Path) -> Report:
    found = archive.open_export(directory)
    return verify(found, [t.key.public], anchors.read(t.anchor))


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_an_export_verifies_without_the_database(sealed: Trail, tmp_path: Path, kind: str) -> None:
    done = write(sealed, tmp_path / "out", kind)
    assert (done.events, done.added, done.records) == (20, 20, 4)
    archive.contents(archive.open_export(tmp_path / "out"))
    report = check(sealed, tmp_path / "out")
    assert report.findings == ()
    assert (report.events, report.batches, report.records) == (20, 2, 4)
    read = [row for file in sorted((tmp_path / "out").glob("events-*")) for row in files.read(file, kind)]
    assert sorted(row["actor_id"] for row in read if row["action"] == "x") == sorted(TEXTS)  # type: ignore[type-var]
    assert {row.get("session_id") for row in read if row["action"] == "later"} == {"s-1"}
    assert write(sealed, tmp_path / "out", kind).added == 0


def rewrite(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    file.write_bytes(
        gzip.compress("".join(change(gzip.decompress(file.read_bytes()).decode().splitlines(True))).encode())
    )


FILES: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "an edit": (lambda lines: [line.replace('"actor_id":"ann"', '"actor_id":"bob"', 1) for line in lines], "edited"),
    "another tenant": (lambda lines: [line.replace('"tenant_id":"acme"', '"tenant_id":"umbrella"') for line in lines], "rewritten"),
    "another hash": (lambda lines: [lines[0].replace('"seal.leaf":"', '"seal.leaf":"00', 1).replace('","id', '","id', 1), *lines[1:]], "rewritten"),
    "a line less": (lambda lines: lines[1:], "rewritten"),
    "a line twice": (lambda lines: [lines[0], *lines], "duplicated"),
    "a column less": (lambda lines: [json.dumps({k: v for k, v in json.loads(line).items() if k != "action"}) + "\n" for line in lines], "dropped column"),
    "two lines exchanged": (lambda lines: [_exchanged(line) for line in lines], "rewritten"),
}  # fmt: skip


def _exchanged(line: str) -> str:
    row = json.loads(line)
    row["seal.position"] = {"0": "1", "1": "0"}.get(row["seal.position"], row["seal.position"])
    return json.dumps(row) + "\n"


@pytest.mark.parametrize("name", FILES)
def test_a_change_of_a_file_is_found(sealed: Trail, tmp_path: Path, name: str) -> None:
    change, kind = FILES[name]
    write(sealed, tmp_path / "out")
    first = min((tmp_path / "out").glob("events-*"))
    before = gzip.decompress(first.read_bytes())
    rewrite(first, change)
    assert gzip.decompress(first.read_bytes()) != before
    with pytest.raises(TamperError, match="not the file that the manifest names"):
        archive.contents(archive.open_export(tmp_path / "out"))
    assert kind in {
        found.kind for found in check(sealed, tmp_path / "out").findings if found.level == "error"
    }


def test_a_change_of_the_log_of_an_export_is_found(sealed: Trail, tmp_path: Path) -> None:
    write(sealed, tmp_path / "out")
    log = tmp_path / "out" / "log.jsonl"
    text = log.read_text(encoding="utf-8")
    log.write_text(text.replace("sealed 2", "sealed 1"), encoding="utf-8")
    assert not check(sealed, tmp_path / "out").good
    log.write_text("".join(text.splitlines(True)[1:]), encoding="utf-8")
    with pytest.raises(TamperError, match="missing or not in order"):
        archive.open_export(tmp_path / "out")
    log.write_text("".join(text.splitlines(True)[:-1]), encoding="utf-8")
    with pytest.raises(TamperError, match="ends before the checkpoint"):
        archive.contents(archive.open_export(tmp_path / "out"))
    log.write_text("{", encoding="utf-8")
    with pytest.raises(TamperError, match="not the log of an export"):
        archive.open_export(tmp_path / "out")


def test_an_export_that_broke_off_goes_on(sealed: Trail, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(sealed, tmp_path / "a", part=1, listen=stop)
    assert json.loads((tmp_path / "a" / "manifest.json").read_text())["next"] == 3
    with (tmp_path / "a" / "log.jsonl").open("a") as file:
        file.write('{"n": 3, "bo')  # what no manifest counts
    done = write(sealed, tmp_path / "a", part=1)
    assert (done.events, done.added, done.records) == (20, 1, 4)
    write(sealed, tmp_path / "b")
    assert check(sealed, tmp_path / "a").findings == ()
    assert (tmp_path / "a" / "log.jsonl").read_bytes() == (tmp_path / "b" / "log.jsonl").read_bytes()


def test_an_export_of_the_newest_only(sealed: Trail, tmp_path: Path) -> None:
    done = write(sealed, tmp_path / "out", first=3)
    report = check(sealed, tmp_path / "out")
    assert (done.events, report.events, report.good) == (1, 1, True)
    assert [found.message for found in report.findings] == [
        "the events of the first 1 batches are not in this export"
    ]


def test_an_export_for_security_tools(sealed: Trail, tmp_path: Path) -> None:
    write(sealed, tmp_path / "out", "ocsf")
    written = sorted((tmp_path / "out").glob("*.gz"))
    lines = [json.loads(x) for f in written for x in gzip.decompress(f.read_bytes()).splitlines()]
    assert len(lines) == 20
    for line in lines:
        assert line["type_uid"] == line["class_uid"] * 100 + line["activity_id"]
        assert {"category_uid", "severity_id", "time", "metadata", "actor", "api", "src_endpoint"} <= set(
            line
        )
    last = lines[-1]
    assert (last["message"], last["metadata"]["tenant_uid"], last["status"]) == ("later", "acme", "Success")
    assert last["time"] > 1_700_000_000_000
    with pytest.raises(SpecError, match="OCSF is for other programs"):
        archive.open_export(tmp_path / "out")


def test_a_directory_of_something_else_is_refused(sealed: Trail, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SpecError, match="holds other files"):
        write(sealed, tmp_path)
    write(sealed, tmp_path / "out")
    with pytest.raises(SpecError, match="is an export of kind jsonl, not csv"):
        write(sealed, tmp_path / "out", "csv")
    with pytest.raises(SpecError, match="cannot be read"):
        archive.open_export(tmp_path / "none")


def test_a_column_that_went_stops_an_export(sealed: Trail, tmp_path: Path) -> None:
    with closing(reader(sealed)) as conn, conn.transaction(force_rollback=True):
        conn.execute("ALTER TABLE audit_logs DROP COLUMN metadata")
        with pytest.raises(CatalogError, match="a column that it was sealed with is gone"):
            export.export(conn, TABLE, tmp_path / "out")


# Proofs


@pytest.fixture
def proven(sealed: Trail) -> Proof:
    event = sealed.ask("SELECT id::text FROM audit_logs WHERE action = 'two\nlines'")
    with closing(reader(sealed)) as conn:
        return proof.prove(conn, TABLE, event)


def test_a_proof_holds_and_tells_nothing_of_others(sealed: Trail, proven: Proof) -> None:
    proof.check(Proof.from_json(proven.to_json()), [sealed.key.public])
    text = proven.to_json()
    assert "umbrella" not in text
    others = set(sealed.sealed()) - {proven.event["id"]}
    assert not any(key in text for key in others)
    for secret in sealed.ask(
        "SELECT array_agg(split_part(details, 'seed ', 2)) FROM tenantry_audit.log WHERE kind = 'batch'"
    ):
        assert secret.strip() not in text
    assert len(proven.in_batch.siblings) == 4  # sixteen places, whoever was active


def test_a_changed_proof_does_not_hold(sealed: Trail, proven: Proof, tmp_path: Path) -> None:
    event = dict(proven.event)
    changed = [
        replace(proven, event=event | {"actor_id": "bob"}),
        replace(proven, event=event | {"tenant_id": "umbrella"}),
        replace(proven, event={("actor" if k == "actor_id" else k): v for k, v in event.items()}),
        replace(proven, event=event | {"more": "x"}),
        replace(proven, blind="00" * 32),
        replace(proven, tenant_root="00" * 32),
        replace(proven, in_tenant=replace(proven.in_tenant, index=0 if proven.in_tenant.index else 1)),
        replace(proven, in_batch=replace(proven.in_batch, siblings=proven.in_batch.siblings[1:])),
        replace(proven, record=proven.record.replace("sealed 2", "sealed 1")),
        replace(proven, in_log=replace(proven.in_log, index=3)),
        replace(proven, checkpoint=proven.checkpoint.replace("\n4\n", "\n5\n")),
    ]
    for other in changed:
        with pytest.raises(TamperError):
            proof.check(other, [sealed.key.public])
    with pytest.raises(TamperError, match="not signed by a key that you trust"):
        proof.check(proven, [keys.create(tmp_path / "other", "audit.example.com")])
    with pytest.raises(SpecError, match="not a proof"):
        Proof.from_json(json.dumps(asdict(proven)))


def test_what_cannot_be_proven(sealed: Trail) -> None:
    event = sealed.ask("SELECT id::text FROM audit_logs WHERE action = 'later'")
    with closing(reader(sealed)) as conn:
        with pytest.raises(SpecError, match="no batch has it"):
            proof.prove(conn, TABLE, "00000000-0000-0000-0000-000000000000")
        with conn.transaction(force_rollback=True):
            conn.execute("ALTER TABLE audit_logs DISABLE TRIGGER USER")
            conn.execute("UPDATE audit_logs SET actor_id = 'bob' WHERE id = %s", (event,))
            with pytest.raises(TamperError, match="not what was sealed in batch 3"):
                proof.prove(conn, TABLE, event)


# The command line


def run(t: Trail, *arguments: str) -> Result:
    return CliRunner().invoke(
        cli.app, ["audit", *arguments], prog_name="tenantry", env={"TENANTRY_DSN": t.db.dsn}
    )


def test_the_verbs(sealed: Trail, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with server.databases() as make:
        t = replace(sealed, db=make(template=sealed.db))
        private, anchor = str(t.anchor.with_name("seal.key")), f"file:{tmp_path / 'anchor'}"
        public = run(t, "key", "--key", private)
        Path("public").write_text(public.stdout)
        assert run(t, "seal", "--key", private, "--anchor", anchor).stdout.startswith(
            "Nothing to seal; the log has 5"
        )
        event = t.event("acme")
        done = run(t, "seal", "--key", private, "--anchor", anchor, "--anchor", "command:false")
        assert (done.exit_code, done.stdout) == (3, "1 event sealed in batch 5; the log has 6 records.\n")
        assert "command false: did not take the checkpoint" in done.stderr
        good = run(t, "verify", "--public-key", "public", "--anchor", anchor, "--state", "state")
        assert good.exit_code == 0, good.output
        assert good.stdout.startswith("VERIFIED: 21 events in 3 batches, 6 records of the log\n")
        assert "since record 6" in run(t, "verify", "--public-key", "public", "--state", "state").stdout
        Path("proof").write_text(run(t, "proof", event).stdout)
        checked = run(t, "proof", "proof", "--check", "--public-key", "public")
        assert checked.stdout == f"The event {event} is in the log, record 5 of 6.\n"
        assert (
            run(t, "export", "out").stdout == "21 events added; 21 events and 6 records of the log in out.\n"
        )
        offline = run(t, "verify", "--export", "out", "--public-key", "public", "--format", "json")
        assert json.loads(offline.stdout)["good"] is True
        t.unguarded(f"UPDATE audit_logs SET actor_id = 'bob' WHERE id = '{event}'")
        bad = run(t, "verify", "--public-key", "public", "--anchor", anchor)
        assert bad.exit_code == 1
        assert f"ERROR edited: batch 5, event {event}: it reads otherwise" in bad.stdout
        assert run(t, "keygen", "audit.example.com", "--out", "new").stdout.startswith("audit.example.com+")
        assert run(t, "rotate", "new", "--key", private).stdout.startswith(
            "From record 7 on, audit.example.com+"
        )
        assert run(t, "accept", "moved\nhere", "--key", "new").stdout == "Accepted; the log has 8 records.\n"
        for arguments, words in (
            (("seal", "--every", "soon"), "say a number and a unit"),
            (("seal", "--every", "1s", "--restored", "x"), "--restored is for one run"),
            (("proof", "proof", "--check"), "needs the public key"),
            (("verify", "--anchor", "https://example.com"), "cannot be read from here"),
            (("verify", "--table", "a.b.c"), "has 3 parts"),
        ):
            refused = run(t, *arguments, *(["--key", "new"] if arguments[0] == "seal" else []))
            assert (refused.exit_code, words in refused.stderr) == (2, True), refused.output
