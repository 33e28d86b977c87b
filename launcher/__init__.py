"""Run batches of Keras experiments, here or on a rented machine, and keep every result."""
