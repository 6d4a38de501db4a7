"""Stage 1, acquire: scenes found at a provider become bytes that are hashed and kept."""

from pipelines.acquire.sources import Source, provider_for
from pipelines.acquire.stage import acquire, kept

__all__ = ["Source", "acquire", "kept", "provider_for"]
