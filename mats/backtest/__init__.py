"""Backtests: a run of strategies over stored bars, what it gave, and how results are measured, compared and drawn."""
