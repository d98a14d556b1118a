"""Running the features against a gateway, and saying whether it conforms."""
