"""The house's market maker: it shows a feed's book as its own quotes and repeats the feed's trades.

``rules`` plans one step, ``quotes`` knows what stands in the engine, ``desk`` sends and reconciles,
``process`` runs it all for as long as it is wanted.
"""
