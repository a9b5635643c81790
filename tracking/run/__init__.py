"""A run of `scripts/track.py`: what it writes, and how it goes on after a kill."""
