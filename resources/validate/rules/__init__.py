"""The rules of a resource beyond its shape, one module for each kind."""
