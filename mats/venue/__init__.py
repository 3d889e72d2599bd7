"""The simulated exchange. Pure: no sockets, no threads, no clock of its own."""
