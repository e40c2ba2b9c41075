"""Who people are: verification in tiers, with documents that only those who decide may see."""
