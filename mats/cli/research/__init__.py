"""Backtests, sweeps and their reports."""
