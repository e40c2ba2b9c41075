"""Signing in by another site that vouches for a person."""
