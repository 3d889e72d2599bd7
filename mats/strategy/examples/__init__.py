"""Example strategies: small, complete, and run by the default strategy table."""
