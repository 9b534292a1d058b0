"""Plans and proofs as text and JSON. Pure functions of what they are given."""
