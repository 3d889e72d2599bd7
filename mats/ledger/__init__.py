"""What follows from the fill log: order states, strategy books, round trips, equity, reconciliation. Pure folds."""
