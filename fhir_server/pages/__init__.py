"""What people see in a browser: sign-in, consent, account; and the OAuth endpoints."""
