"""API keys: how programs sign requests for a person, and what each of them may do."""
