"""Market data as it is kept and shaped: bar building and bar files."""
