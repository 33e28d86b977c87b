"""Execute a batch on a node: an island of standard library only, which imports nothing of launcher."""
