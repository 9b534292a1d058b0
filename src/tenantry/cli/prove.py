"""tenantry prove"""

from __future__ import annotations

from datetime import UTC, datetime

from tenantry import prove as prover
from tenantry import spec
from tenantry.cli._options import DEFAULT_SPEC, AppDsn, Dsn, SpecFile
from tenantry.cli._report import MigrationsOption, ReportFormatOption, show
from tenantry.report.formats import ReportFormat


def prove(
    dsn: Dsn = "",
    spec_file: SpecFile = DEFAULT_SPEC,
    app_dsn: AppDsn = None,
    format_: ReportFormatOption = ReportFormat.text,
    migrations: MigrationsOption = None,
) -> int:
    """Attack the isolation, each attack with a control that shows it would have seen a hole. Exit 1 unless proven."""
    proof = prover.prove(dsn, spec.load(spec_file), app_dsn=app_dsn, now=datetime.now(UTC))
    show(proof, format_, spec_file, migrations)
    return 0 if proof.proven else 1
