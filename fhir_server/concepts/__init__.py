"""The concepts of code systems in PostgreSQL, and every question to them."""
