"""The operations of the terminology service."""
