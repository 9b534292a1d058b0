"""The reference application, converted, before an independent judge: what pgrls calls an error there is explained."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tenantry import introspect, planner
from tests import reference
from tests.servers import Database

pytestmark = pytest.mark.pg(">=18")  # it reads the catalog, as on any version
PGRLS = Path(sys.executable).parent / "pgrls"
# Errors of its that are none here, and which policies they are about; docs/reference/detection.md says why.
DIFFERENT = {
    ("SEC003", "tenant_isolation"),
    ("SEC038", "tenant_resolver"),
    ("SEC038", "tenant_search"),
    ("SEC038", "audit_read"),
}


def errors(db: Database) -> set[tuple[str, str]]:
    """The rules that it calls broken, and the policy or table that each is about."""
    command = [str(PGRLS), "lint", "--format", "json", "--schemas", "public", "--database-url", db.dsn]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)["violations"]
    assert found, "it did not look"
    return {(f["rule_id"], f["location"].split(".")[-1]) for f in found if f["severity"] == "error"}


@pytest.mark.skipif(not PGRLS.exists(), reason="NOT TESTED HERE: pip install 'tenantry[judges]'")
def test_pgrls_finds_no_error_that_is_not_explained(db: Database) -> None:
    reference.load(db)
    with db.connect() as conn:
        conn.execute("SET row_security = off")
        for step in planner.plan(reference.declared(), introspect.read(conn), "transactional"):
            for statement in step.apply:
                conn.execute(statement.encode())
    assert errors(db) == DIFFERENT
    with db.connect() as conn:
        conn.execute("ALTER TABLE skills DISABLE ROW LEVEL SECURITY")
    assert errors(db) - DIFFERENT == {("SEC032", "skills")}
