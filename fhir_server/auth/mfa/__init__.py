"""Second factors: one-time password apps, passkeys, recovery codes, and codes by e-mail or SMS."""
