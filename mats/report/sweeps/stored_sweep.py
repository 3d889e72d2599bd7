"""A sweep as it is stored, for a report."""

from mats.backtest.result import minute
from mats.report.sweeps.page import SweepReport
from mats.sweep import SweepTable


def stored(uri: str, name: str) -> SweepReport:
    """A stored sweep, finished or not. Raises SweepError where there is none."""
    table = SweepTable(uri, name)
    manifest, outcomes = table.read()
    code = manifest.code
    facts = (
        ("Begun", f"{minute(manifest.started)} UTC"),
        ("Data", manifest.source.place),
        ("Data fingerprint", manifest.data_fingerprint),
        ("Code", f"mats {code.package} {code.commit}".strip()),
        ("Strategy files", ", ".join(f"{strategy} {digest}" for strategy, digest in code.files.items())),
    )
    return SweepReport(name=name, plan=manifest.plan, outcomes=outcomes, curve=table.read_curve(), facts=facts)
