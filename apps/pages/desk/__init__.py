"""The desk of staff: what waits for somebody, and how people, trading, money and systems stand."""
