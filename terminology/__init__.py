"""Code systems, value sets and units: what the codes in resources mean."""
