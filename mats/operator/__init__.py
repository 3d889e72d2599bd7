"""How a person talks to a running daemon: the words, the socket they travel on, and the commands of `mats`."""
