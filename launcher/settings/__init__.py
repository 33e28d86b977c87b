"""Where things run and lie: settings and homes. Imports nothing, since `status` pays for every import."""
