"""Stage 1, acquire: scenes found at a provider become bytes that are hashed and kept."""
