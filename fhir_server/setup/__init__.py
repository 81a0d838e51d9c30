"""What happens once before the server can run."""
