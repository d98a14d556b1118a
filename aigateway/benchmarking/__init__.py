"""What the gateway costs: the time that it adds, what it serves, how it starts, what it holds in memory."""
