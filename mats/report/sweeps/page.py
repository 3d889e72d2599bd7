"""The report of a sweep: as a page, and as tables."""

from collections.abc import Sequence

import msgspec
import numpy as np

from mats.backtest.result import Figure, TableRow, Value
from mats.backtest.result import formatting as fmt
from mats.model import Nanos
from mats.model.bar_columns import Floats, Instants
from mats.report.html_page import render
from mats.report.pages import FIGURES, Card, PageTable
from mats.report.sweeps import charts
from mats.report.sweeps.heatmap import Surface, surfaces
from mats.sweep import SweepPlan, Trial, ranked, reasons, unranked

BEST = 20
SHOWN = ("sharpe", "total_return", "max_drawdown", "trades", "hit_rate", "profit_factor", "costs")


class SweepReport(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A sweep and its outcomes; `curve` is the stitched curve of a walk-forward."""

    name: str
    plan: SweepPlan
    outcomes: Sequence[Trial]
    curve: tuple[Instants, Floats] | None = None
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def trained(self) -> list[Trial]:
        """All but the tests of a walk-forward."""
        return [outcome for outcome in self.outcomes if outcome.task.leg != "test"]

    @property
    def tested(self) -> list[Trial]:
        return [outcome for outcome in self.outcomes if outcome.task.leg == "test"]


def label_of(metric: str) -> str:
    """The label of a metric."""
    return next((figure.label for figure in FIGURES if figure.key == metric), metric.replace("_", " ").capitalize())


def best_table(swept: SweepReport, most: int = BEST) -> PageTable:
    """The best combinations: rank, parameters, metrics."""
    best = ranked(swept.trained, swept.plan.metric)[:most]
    return _table("Rank", swept, best, [str(rank) for rank in range(1, len(best) + 1)])


def window_table(swept: SweepReport) -> PageTable:
    """The tests of a walk-forward, by window."""
    named = {window.number: f"{fmt.day(window.turn)} to {fmt.day(window.end)}" for window in swept.plan.windows()}
    tested = sorted(swept.tested, key=lambda outcome: outcome.task.window)
    return _table("Tested", swept, tested, [named[outcome.task.window] for outcome in tested])


def failure_table(swept: SweepReport) -> PageTable:
    """Why combinations were not ranked, and how often."""
    rows = [TableRow(label=reason, values=(Value(f"{count:,}"),)) for reason, count in reasons(swept.outcomes).items()]
    return PageTable(("Reason", "Combinations"), tuple(rows[:BEST]))


def html(swept: SweepReport, made: Nanos) -> str:
    """The page of a sweep."""
    plan, label = swept.plan, label_of(swept.plan.metric)
    maps = [charts.surface(one, label, at) for at, one in enumerate(surfaces_of(swept))]
    values = [outcome.metrics[plan.metric] for outcome in ranked(swept.trained, plan.metric)]
    spread = charts.spread(np.array(values, dtype=float), label)
    turns = [window.turn for window in plan.windows()]
    walked = charts.out_of_sample(swept.curve, plan.spec.currency, turns) if swept.curve is not None else None
    return render(
        "sweep.html.j2",
        [*maps, *(chart for chart in (spread, walked) if chart is not None)],
        made,
        title=swept.name,
        subtitle=_subtitle(plan),
        cards=_cards(swept),
        metric=label,
        maps=maps,
        maps_note=_maps_note(plan),
        spread=spread,
        best=best_table(swept),
        failures=failure_table(swept),
        walked=window_table(swept) if plan.walk else None,
        walked_chart=walked,
        walked_note="Each test ran with the parameters that were best on the training period before it.",
        facts=(*_facts(plan), *swept.facts),
    )


def surfaces_of(swept: SweepReport) -> tuple[Surface, ...]:
    """The maps of a sweep by its metric; without the tests of a walk-forward."""
    return surfaces(swept.trained, swept.plan.axes, swept.plan.metric)


def _table(first: str, swept: SweepReport, outcomes: Sequence[Trial], labels: Sequence[str]) -> PageTable:
    """Parameters, the metric, and the usual figures."""
    figures = _figures(swept.plan.metric)
    names = [axis.name for axis in swept.plan.axes]
    rows = [
        TableRow(
            label=label,
            values=(
                *(Value(f"{outcome.task.parameters.get(name, '')}") for name in names),
                *(fmt.value(outcome.metrics.get(figure.key), figure.write) for figure in figures),
            ),
        )
        for label, outcome in zip(labels, outcomes, strict=True)
    ]
    return PageTable((first, *names, *(figure.label for figure in figures)), tuple(rows))


def _figures(metric: str) -> list[Figure]:
    kinds = {figure.key: figure for figure in FIGURES}
    chosen = kinds.get(metric, Figure(metric, label_of(metric), fmt.ratio))
    return [chosen, *(kinds[key] for key in SHOWN if key != metric and key in kinds)]


def _cards(swept: SweepReport) -> tuple[Card, ...]:
    best = ranked(swept.trained, swept.plan.metric)
    bad = unranked(swept.trained)
    figure = _figures(swept.plan.metric)[0]
    top = fmt.value(best[0].metrics[figure.key], figure.write) if best else Value(fmt.UNDEFINED)
    cards = [
        Card(f"Best {figure.label}", top),
        Card("Runs", Value(f"{len(swept.trained):,}")),
        Card("Ranked", Value(f"{len(best):,}")),
        Card("Not completed", Value(f"{len(bad):,}")),
    ]
    return tuple(cards)


def _subtitle(plan: SweepPlan) -> str:
    record = plan.spec.strategies[0]
    return f"{record.name} · {fmt.day(plan.spec.start)} to {fmt.day(plan.spec.end)} · by {label_of(plan.metric)}"


def _maps_note(plan: SweepPlan) -> str:
    varied = [axis.name for axis in plan.axes if len(axis.values) > 1]
    text = "Neighbors of a good combination should be good as well: prefer plateaus to peaks."
    return f"{text} Each cell is the best over all other parameters." if len(varied) > 2 or plan.walk else text


def _facts(plan: SweepPlan) -> tuple[tuple[str, str], ...]:
    spec, record = plan.spec, plan.spec.strategies[0]
    varied = {axis.name for axis in plan.axes}
    fixed = {name: value for name, value in record.params.items() if name not in varied}
    kept = ", ".join(f"{name} {value}" for name, value in fixed.items()) or "as declared"
    axes = [(f"Parameter {axis.name}", ", ".join(charts.tick_labels(axis))) for axis in plan.axes]
    how = f"{plan.trials:,} trials chosen by optuna, seed {spec.seed}" if plan.trials else "all combinations"
    models = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in msgspec.structs.asdict(spec.models).items())
    return (
        ("Strategy", f"{record.class_name} of {record.file}"),
        *axes,
        ("Other parameters", kept),
        ("Tried", how),
        ("Period", f"{fmt.minute(spec.start)} to {fmt.minute(spec.end)} UTC, bars of {spec.bar_seconds:,} s"),
        ("Capital", fmt.currency_amount(float(spec.capital), spec.currency)),
        ("Simulated market", models),
    )
