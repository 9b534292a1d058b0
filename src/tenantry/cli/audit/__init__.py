"""tenantry audit: one file per verb, each a thin call of one public function."""

from __future__ import annotations

from tenantry.cli.audit.accept import accept
from tenantry.cli.audit.erase import erase
from tenantry.cli.audit.export import export
from tenantry.cli.audit.key import key
from tenantry.cli.audit.keygen import keygen
from tenantry.cli.audit.partitions import partitions
from tenantry.cli.audit.proof import proof
from tenantry.cli.audit.query import query
from tenantry.cli.audit.report import report
from tenantry.cli.audit.retire import retire
from tenantry.cli.audit.rotate import rotate
from tenantry.cli.audit.seal import seal
from tenantry.cli.audit.status import status
from tenantry.cli.audit.tail import tail
from tenantry.cli.audit.verify import verify

VERBS = (
    status, keygen, key, seal, verify, proof, query, report, tail, export, partitions, retire, erase, rotate, accept,
)  # fmt: skip
HELP = "Seal, verify, read, export and retain the audit trail, and tell what protects it."
