"""How much to trade and whether to: sizing, limits and pre-trade checks. Pure functions over plain state."""
