"""Live data: one WebSocket per person, one hub per web process. See docs/realtime.md."""
