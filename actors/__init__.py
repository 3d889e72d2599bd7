"""What runs: one file per actor, and the tree that supervises them."""
