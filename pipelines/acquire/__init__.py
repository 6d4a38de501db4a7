"""Stage 1, acquire: scenes found at a provider become bytes that are hashed and kept."""

from pipelines.acquire.stage import acquire

__all__ = ["acquire"]
