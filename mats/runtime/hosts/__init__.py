"""Who calls an actor, and when: its own thread, its own asyncio loop, or virtual time."""
