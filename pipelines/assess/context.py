"""What a run is about, beside its two scenes: the place, and every other scene that was considered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from shapely.geometry import Polygon, mapping
from shapely.geometry.base import BaseGeometry

from geo.scene import Scene
from geo.sites import RADIUS_M, Site
from geo.zones import circle
from pipelines.assess.findings import Place


@dataclass(frozen=True, kw_only=True)
class Considered:
    """A scene that was found and not used, and why.

    `clear_fraction` is None where it was never looked at, `broken` True where it could not be fetched or read.
    """

    scene: Scene
    clear_fraction: float | None
    reason: str
    broken: bool = False


@dataclass(frozen=True, kw_only=True)
class Context:
    """The place of a run.

    Attributes:
        place: as written into the findings.
        site: zones and controls, or None for a bare comparison.
        area: longitude, latitude polygon whose state the run tells; None means the whole image.
        considered: the scenes that were not used.
    """

    place: Place
    site: Site | None = None
    area: BaseGeometry | None = None
    considered: tuple[Considered, ...] = ()

    @classmethod
    def of_site(cls, site: Site, considered: tuple[Considered, ...] = ()) -> Context:
        """The place of a site: the ground within its perimeter or outline, or where it may be."""
        return cls(
            place=Place(
                id=site.id,
                name=site.name,
                location_class=site.location.kind,
                location_source=site.location.source,
                sensitive=site.sensitive,
                geometry=dict(mapping(site.geometry)),
            ),
            site=site,
            area=site.search_area if site.is_search else ground_of(site),
            considered=considered,
        )

    @classmethod
    def of_image(cls, name: str, area: BaseGeometry | None = None) -> Context:
        """No site: two images, and perhaps an area of interest."""
        place = Place(id="comparison", name=name, geometry=None if area is None else dict(mapping(area)))
        return cls(place=place, area=area)

    @property
    def digest(self) -> str:
        """SHA-256 of all that is said of the place: zones drawn anew are another question."""
        if self.site is not None:
            return self.site.digest
        return hashlib.sha256(self.place.model_dump_json().encode()).hexdigest()


def ground_of(site: Site) -> BaseGeometry:
    """The polygon that is the site: inside a closed perimeter, else its outline, else round its point.

    The circle round a point is as wide as the class of its location says that the place may be off.
    """
    if site.perimeter is not None and site.perimeter.closed:
        return Polygon(site.perimeter.line.coords)
    if site.geometry.area > 0:
        return site.geometry
    point = site.geometry.centroid
    return circle(point.x, point.y, RADIUS_M[site.location.kind])
