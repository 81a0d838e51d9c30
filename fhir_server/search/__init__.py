"""Search: what of a resource is indexed, and how a query is answered from it."""
