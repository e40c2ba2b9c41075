"""What is held about a person: a copy of it for them, and its deletion."""
