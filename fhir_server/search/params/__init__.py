"""One module per search parameter type: how its values are indexed, and the SQL that finds them."""
