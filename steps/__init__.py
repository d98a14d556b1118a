"""The steps of the features, by domain: who does or sees something, not which feature says so."""
