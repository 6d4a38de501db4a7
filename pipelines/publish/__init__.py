"""Stage 5, publish: findings become files that people use, hashed, with the manifest last."""

from pipelines.publish.features import create_reviews
from pipelines.publish.manifest import Manifest, read_manifest
from pipelines.publish.settings import Lineage, PublishSettings
from pipelines.publish.stage import publish

__all__ = ["Lineage", "Manifest", "PublishSettings", "create_reviews", "publish", "read_manifest"]
