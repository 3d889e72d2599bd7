"""How long tests wait for what has to come."""

PATIENCE = 90.0
"""Seconds. It ends a test that hangs and measures nothing: a machine may be as slow as it likes within it."""
