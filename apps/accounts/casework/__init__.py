"""What members of staff write down about a person."""
