"""Durable memory: the journal that recovery reads (SQLite), and the tables that people read (ArcticDB)."""
