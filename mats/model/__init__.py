"""The vocabulary of the system: frozen values, no input or output."""
