"""Stage 4, assess: a change map and a site become findings: events, perimeter, buildings, with their uncertainty."""
