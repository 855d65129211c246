"""What makes it run: scheduler, relay, broker, actors, the daemon and how it stops (DESIGN §3)."""
