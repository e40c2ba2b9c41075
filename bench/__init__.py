"""Benches: each module here measures one thing and states the bar it should reach."""
