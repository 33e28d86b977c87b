"""Small programs that run on a rented machine beside the runner: standard library only, an island."""
