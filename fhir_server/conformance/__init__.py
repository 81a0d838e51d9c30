"""What the resources here have to conform to: stored profiles, and what is done on a write."""
