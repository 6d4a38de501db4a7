"""Stage 5, publish: findings become files that people use, hashed, with the manifest last."""

from pipelines.publish.manifest import Manifest, read_manifest
from pipelines.publish.settings import Lineage, PublishSettings
from pipelines.publish.stage import publish

__all__ = ["Lineage", "Manifest", "PublishSettings", "publish", "read_manifest"]
