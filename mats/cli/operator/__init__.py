"""What an operator asks of the running daemon, or of what it has left: a file for each command, and two for many."""
