"""History in the store: imported from files, and downloaded from the broker."""
