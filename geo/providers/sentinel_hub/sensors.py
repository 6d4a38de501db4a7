"""What is asked of each sensor: bands, numbers, and the little script that the service runs for each pixel.

Numbers come as the archive has them, nothing is computed that this project would not compute itself. `dataMask` tells
what lies outside of the image; a dark pixel is no such thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from geo.errors import ConfigurationError

OUTSIDE = 65535
"""Stored where an image of whole numbers shows nothing: above what Sentinel-2's surface reflectance can be."""


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """One collection of the service.

    Attributes:
        collection: its id in catalogue and Process API; also the sensor's name in scenes, but for Landsat.
        library: name of the collection in the `sentinelhub` library.
        bands: asked for, in order; the names under which they are kept.
        classes: a band of classes that comes along ("" for none), its name when kept, its value for "no data".
        expression: how a sample becomes the number sent, `{}` stands for the sample.
        dtype: of the numbers sent; scale, offset: physical = number x scale + offset, None where it is physical.
        empty: number kept where there is no data.
        processing: of the Process API.
        lattice_m: pixels are the collection's own where this is given, (size, phase); else those of the site.
        factor: that processing units are multiplied by, for `processing`.
    """

    collection: str
    library: str
    bands: Mapping[str, str]
    classes: str = ""
    classes_name: str = ""
    classes_empty: int = 0
    expression: str = "{}"
    units: str = ""
    dtype: str = "uint16"
    scale: float | None = None
    offset: float = 0.0
    empty: float = OUTSIDE
    processing: Mapping[str, object] = field(default_factory=dict)
    lattice_m: tuple[float, float] | None = None
    factor: float = 1.0
    licence: str
    credit: str

    @property
    def asked(self) -> tuple[str, ...]:
        """The bands that the service reads and charges, in order."""
        return (*self.bands, self.classes) if self.classes else tuple(self.bands)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the bands in the file that is kept."""
        return (*self.bands.values(), self.classes_name) if self.classes else tuple(self.bands.values())

    @property
    def evalscript(self) -> str:
        """The script: samples, classes and `dataMask` of the first scene that shows a pixel, as they are."""
        listed = ", ".join(f'"{band}"' for band in (*self.asked, "dataMask"))
        units = f', units: "{self.units}"' if self.units else ""
        values = [self.expression.format(f"s.{band}") for band in self.bands]
        values += [f"s.{band}" for band in (*((self.classes,) if self.classes else ()), "dataMask")]
        return (
            "//VERSION=3\n"
            f"function setup() {{ return {{ input: [{{ bands: [{listed}]{units} }}], "
            f'output: {{ bands: {len(values)}, sampleType: "{self.dtype.upper()}" }} }}; }}\n'
            f"function evaluatePixel(s) {{ return [{', '.join(values)}]; }}\n"
        )


_COPERNICUS = "Copernicus Sentinel data, free and open (EU 1159/2013)"
_CREDIT = "Contains modified Copernicus Sentinel data"

OPTICAL = Sensor(
    collection="sentinel-2-l2a",
    library="SENTINEL2_L2A",
    bands={
        "B02": "blue",
        "B03": "green",
        "B04": "red",
        "B05": "rededge1",
        "B06": "rededge2",
        "B07": "rededge3",
        "B08": "nir",
        "B8A": "nir08",
        "B11": "swir16",
        "B12": "swir22",
    },
    classes="SCL",
    classes_name="SCL",
    units="DN",
    scale=1e-4,
    # The offset of baseline 04.00 is taken off by the service, on every date alike.
    processing={"harmonizeValues": True},
    licence=_COPERNICUS,
    credit=_CREDIT,
)
RADAR = Sensor(
    collection="sentinel-1-grd",
    library="SENTINEL1_IW",
    bands={"VV": "vv", "VH": "vh"},
    dtype="float32",
    empty=float("nan"),
    processing={"backCoeff": "GAMMA0_TERRAIN", "orthorectify": True, "demInstance": "COPERNICUS_30"},
    factor=2.5,
    licence=_COPERNICUS,
    credit=_CREDIT,
)
# The product's own numbers, got back from the reflectance that the service makes of them: half the price of floats.
_LANDSAT_SCALE, _LANDSAT_OFFSET = 2.75e-5, -0.2
LANDSAT = Sensor(
    collection="landsat-ot-l2",
    library="LANDSAT_OT_L2",
    bands={
        "B02": "blue",
        "B03": "green",
        "B04": "red",
        "B05": "nir08",
        "B06": "swir16",
        "B07": "swir22",
    },
    classes="BQA",
    classes_name="QA_PIXEL",
    classes_empty=1,
    expression="Math.round(({} + 0.2) / 0.0000275)",
    scale=_LANDSAT_SCALE,
    offset=_LANDSAT_OFFSET,
    lattice_m=(30.0, 15.0),
    licence="U.S. Geological Survey, public domain",
    credit="Landsat image courtesy of the U.S. Geological Survey",
)
# How the sun and the satellite stood, a few numbers a scene: shadows are as long as the sun is low.
ANGLES = replace(
    OPTICAL,
    bands={
        "sunAzimuthAngles": "sun_azimuth",
        "sunZenithAngles": "sun_zenith",
        "viewAzimuthMean": "view_azimuth",
        "viewZenithMean": "view_zenith",
    },
    classes="",
    units="DEGREES",
    dtype="float32",
    scale=None,
    empty=float("nan"),
    processing={},
)
SENSORS = {sensor.collection: sensor for sensor in (OPTICAL, RADAR, LANDSAT)}
DEFAULT = (OPTICAL.collection, RADAR.collection)
_NEEDED = ("B02", "B03", "B04", "B08")


def sensors_named(names: tuple[str, ...], bands: tuple[str, ...] = ()) -> tuple[Sensor, ...]:
    """The sensors of collections, the usual two where none is named.

    Args:
        names: of collections.
        bands: of Sentinel-2 to ask for, all ten where none is named; each costs.

    Raises:
        ConfigurationError: a collection or band is unknown, or a band is lacking that nothing can be seen without.
    """
    for name in names:
        if name not in SENSORS:
            known = ", ".join(SENSORS)
            raise ConfigurationError(f"[providers.sentinel_hub] collections: {name!r} is unknown; there are {known}.")
    fewer = _with_bands(bands)
    return tuple(fewer if name == OPTICAL.collection else SENSORS[name] for name in dict.fromkeys(names or DEFAULT))


def _with_bands(bands: tuple[str, ...]) -> Sensor:
    unknown = [band for band in bands if band not in OPTICAL.bands]
    if unknown:
        known = ", ".join(OPTICAL.bands)
        raise ConfigurationError(f"[providers.sentinel_hub] bands: {unknown[0]!r} is unknown; there are {known}.")
    lacking = [band for band in _NEEDED if bands and band not in bands]
    if lacking:
        raise ConfigurationError(f"[providers.sentinel_hub] bands must hold {', '.join(_NEEDED)}; {lacking[0]} lacks.")
    chosen = {band: name for band, name in OPTICAL.bands.items() if not bands or band in bands}
    return OPTICAL if chosen == OPTICAL.bands else replace(OPTICAL, bands=chosen)
