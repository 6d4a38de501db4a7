"""The only room of geo that opens local files."""
