"""A gateway that runs in Azure, seen from here: where it is, a client's key, its logs."""
