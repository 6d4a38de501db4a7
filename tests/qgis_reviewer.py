"""Run by QGIS's own Python, not ours: hold a run's project open and set verdicts through its form's layer.

Usage: python3 qgis_reviewer.py PROJECT.qgz; then a line `EVENT VERDICT` on standard input adds and saves a verdict and
answers `SAVED EVENT LOOK`, the look of that change on the map (`-` if there is none); after each an edit session with an unsaved row is left open, as analysts leave them.
"""

import os
import sys
from datetime import UTC, datetime

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import (
    QgsApplication,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsFeature,
    QgsFeatureRequest,
    QgsProject,
    QgsVectorLayerUtils,
)
from qgis.PyQt.QtCore import QDateTime, Qt


def row(layer, event, verdict):
    """A new row, as the form makes it."""
    feature = QgsFeature(QgsVectorLayerUtils.createFeature(layer))
    feature["event_id"] = event
    feature["verdict"] = verdict
    feature["confidence"] = "high"
    feature["reviewer"] = "Ana"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    feature["reviewed_at"] = QDateTime.fromString(now[:23] + "Z", Qt.ISODateWithMs)
    return feature


def look(event):
    """The class of the legend that a change has now."""
    changes = next(layer for layer in project.mapLayers().values() if layer.id().startswith("changes_"))
    context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(changes))
    for feature in changes.getFeatures(QgsFeatureRequest().setFilterExpression(f"\"id\" = '{event}'")):
        context.setFeature(feature)
        return QgsExpression(changes.renderer().classAttribute()).evaluate(context)
    return "-"


application = QgsApplication([], False)
application.initQgis()
project = QgsProject.instance()
assert project.read(sys.argv[1])
(reviews,) = [layer for layer in project.mapLayers().values() if layer.id().startswith("reviews_")]
assert reviews.isValid()
sys.stdout.write(f"OPEN {reviews.source()}\n")
sys.stdout.flush()
for line in sys.stdin:
    event, verdict = line.split()
    if reviews.isEditable():
        reviews.rollBack()
    reviews.startEditing()
    assert reviews.addFeature(row(reviews, event, verdict))
    assert reviews.commitChanges(), reviews.commitErrors()
    seen = look(event)
    reviews.startEditing()
    reviews.addFeature(row(reviews, "never-saved", "rejected"))
    sys.stdout.write(f"SAVED {event} {seen}\n")
    sys.stdout.flush()
os._exit(0)
