"""What the actors say to one another: each file belongs to the actor of its name."""
