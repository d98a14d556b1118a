"""What the gateway costs: time that it adds, how much it serves, how long it takes to start, what it holds in memory."""
