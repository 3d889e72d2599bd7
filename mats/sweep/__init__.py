"""Sweeps: one strategy with many parameters, on all cores or a cluster; which were best, and would they have lasted."""
