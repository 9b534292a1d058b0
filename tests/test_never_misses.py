"""The bench of events that are never missed, made small; and the sealers that it must tell from a good one."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tenantry import embedded
from tenantry.embedded import Cluster
from tests import servers

BENCH = Path(__file__).parents[1] / "bench"
# The sealer without the command line, which takes a second to begin.
SEALER = """
import sys
from pathlib import Path
from tenantry.audit import keys, seal, select
from tenantry.audit.anchors import File
from tenantry.names import QName

{}
seal.RETRY = 0.1
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
anchor = File(Path(options["--anchor"].removeprefix("file:")))
table, key = QName("public", options["--table"]), keys.load(Path(options["--key"]))
seal.run(options["--dsn"], table, key, [anchor], 0.1, lambda: False, lambda done: None)
"""
SEALED = "SELECT pg_catalog.unnest(s.keys) AS key FROM tenantry_audit.subtrees AS s"
SABOTAGES = {
    "by the highest number": f"select._DIFFERENCE = 't.seq > (SELECT coalesce(max(e.seq), 0) FROM public.audit_logs AS e"
    f" JOIN ({SEALED}) AS k ON k.key = e.id::text)'",
    "without leaving out what is sealed": "select._DIFFERENCE = select._DIFFERENCE.partition(' AND NOT ')[0]",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        settings = __import__("never_misses").SETTINGS
        with embedded.cluster(servers.binaries(), settings=settings) as found:
            yield found


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    found, unruly = __import__("never_misses"), __import__("_unruly")
    monkeypatch.setattr(unruly, "OPEN", (0.1, 0.5))
    monkeypatch.setattr(unruly, "PAUSE", (0.0, 0.2))
    return found


def run(
    bench: Any, cluster: Cluster, directory: Path, trail: str, name: str, sabotage: str = "", **options: Any
) -> Any:
    dsn = bench.make(cluster.dsn, name, trail)
    command = [sys.executable, "-c", SEALER.format(sabotage)]
    return bench.run(dsn, directory, trail, 700, sealer=command, **options)


@pytest.mark.parametrize("trail", ["extended", "plain"])
def test_every_event_is_in_one_batch_whatever_happens(
    bench: Any, cluster: Cluster, tmp_path: Path, trail: str
) -> None:
    found = run(bench, cluster, tmp_path, trail, trail, crashes=1, kills=(0.9, 1.5))
    assert found.good, found
    assert found.written == found.sealed > 200
    # What nothing disturbed has shown nothing.
    for untried in ({"kills": 0}, {"crashes": 0}, {"written": 0}):
        assert not replace(found, **untried).good


@pytest.mark.parametrize("rule", SABOTAGES)
def test_a_sealer_that_goes_by_another_rule_is_told(
    bench: Any, cluster: Cluster, tmp_path: Path, rule: str
) -> None:
    name = f"bad_{list(SABOTAGES).index(rule)}"
    found = run(bench, cluster, tmp_path, "extended", name, SABOTAGES[rule], crashes=0, kills=(60, 60))
    assert not found.once
    assert found.missing + found.twice > 0
