"""How long tests wait for what has to come."""

from mats.runtime import testing

PATIENCE = testing.PATIENCE
"""Seconds. It ends a test that hangs and measures nothing: a machine may be as slow as it likes within it."""
