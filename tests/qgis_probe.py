"""Run by QGIS's own Python, not ours: open a project, tell what is there as JSON, render its themes.

Usage: python3 qgis_probe.py PROJECT.qgz PICTURES_FOLDER
"""

import json
import os
import sys
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import (
    QgsApplication,
    QgsDateTimeRange,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsFeatureRequest,
    QgsMapLayerType,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsVectorLayer,
    QgsVectorLayerTemporalContext,
)
from qgis.PyQt.QtCore import QDateTime, QSize, Qt
from qgis.PyQt.QtGui import QColor


def main(path: str, pictures: str) -> dict:
    """Everything that the test wants to know."""
    project = QgsProject.instance()
    told: dict = {"read": project.read(path), "crs": project.crs().isValid(), "epsg": project.crs().authid()}
    layers = {layer.id().rsplit("_", 1)[0]: layer for layer in project.mapLayers().values()}
    told["layers"] = {name: layer.isValid() for name, layer in layers.items()}
    told["layer_crs"] = {name: layer.crs().isValid() for name, layer in layers.items()}
    told["background"] = project.backgroundColor().name()
    themes = project.mapThemeCollection()
    told["themes"] = {name: len(themes.mapThemeVisibleLayers(name)) for name in themes.mapThemes()}
    extent = layers["before_image"].extent()
    told["extent"] = [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()]
    for name in themes.mapThemes():
        image = render(themes.mapThemeVisibleLayers(name), project, extent)
        image.save(f"{pictures}/{name}.png")
    for day in ("2018-06-01", "2020-06-01"):
        shown = [layers["after_image"], layers["before_image"]]
        image = render(shown, project, extent, day)
        image.save(f"{pictures}/{day}.png")
    reviews = layers["reviews"]
    field = reviews.fields().indexOf("verdict")
    if not reviews.isValid():
        field = -1
    told["form"] = [reviews.editorWidgetSetup(field).type(), reviews.editorWidgetSetup(field).config()]
    told["relations"] = [relation.isValid() for relation in project.relationManager().relations().values()]
    told["read_only"] = {n: la.readOnly() for n, la in layers.items() if la.type() == QgsMapLayerType.VectorLayer}
    gpkg = Path(path).with_name("findings.gpkg")
    alone = QgsVectorLayer(f"{gpkg}|layername=changes", "alone", "ogr")
    render([alone], project, alone.extent()).save(f"{pictures}/alone.png")
    changes = layers["changes"]
    told["shown"] = {day: count(changes, day) for day in ("2017-06-01", "2018-06-01", "2020-06-01")}
    told["tabs"] = [tab.name() for tab in changes.editFormConfig().tabs()]
    told["tip"] = tip(changes, project)
    told["required"] = [f.name() for f in reviews.fields() if f.constraints().constraints()]
    told["default_style"] = [alone.renderer().type(), alone.renderer().categories()[0].label()]
    return told


def context_of(layer: QgsVectorLayer, settings: QgsMapSettings) -> QgsExpressionContext:
    """What expressions of a layer see while it is drawn."""
    context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(layer))
    context.appendScope(QgsExpressionContextUtils.mapSettingsScope(settings))
    return context


def count(layer: QgsVectorLayer, day: str) -> dict[str, int]:
    """How many features the time slider shows on a day, by their class of the legend."""
    settings, seen = QgsMapSettings(), {}
    settings.setIsTemporal(True)
    settings.setTemporalRange(span(day))
    temporal = QgsVectorLayerTemporalContext()
    temporal.setLayer(layer)
    request = QgsFeatureRequest()
    request.setFilterExpression(layer.temporalProperties().createFilterString(temporal, span(day)))
    look = QgsExpression(layer.renderer().classAttribute())
    for feature in layer.getFeatures(request):
        context = context_of(layer, settings)
        context.setFeature(feature)
        word = look.evaluate(context)
        seen[word] = seen.get(word, 0) + 1
    return seen


def tip(layer: QgsVectorLayer, project: QgsProject) -> str:
    """What shows on hovering over the first feature."""
    context = context_of(layer, QgsMapSettings())
    context.setFeature(next(layer.getFeatures()))
    return QgsExpression.replaceExpressionText(layer.mapTipTemplate(), context)


def span(day: str) -> QgsDateTimeRange:
    """One day of the time slider."""
    start = QDateTime.fromString(f"{day}T00:00:00Z", Qt.ISODate)
    return QgsDateTimeRange(start, start.addDays(1))


def render(layers: list, project: QgsProject, extent: object, day: str = "") -> object:
    """Draw layers on the project's own background, as the window would."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(project.crs())
    settings.setOutputSize(QSize(480, 360))
    settings.setExtent(extent)
    settings.setBackgroundColor(QColor(project.backgroundColor()))
    if day:
        settings.setIsTemporal(True)
        settings.setTemporalRange(span(day))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage()


if __name__ == "__main__":
    application = QgsApplication([], False)
    application.initQgis()
    sys.stdout.write("PROBE" + json.dumps(main(sys.argv[1], sys.argv[2])) + "\n")
    sys.stdout.flush()
    os._exit(0)  # QGIS sometimes crashes while it is torn down
