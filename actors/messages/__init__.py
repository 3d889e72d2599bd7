"""The messages between actors: each file holds those of the actor of its name, `addresses` says who handles which."""
