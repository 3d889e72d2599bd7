"""The inside of a process of actors: a runtime of its own, whose actors live under the names that they have outside."""
