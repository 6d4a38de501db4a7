"""Provider `simulator`: a seeded construction site with a known truth; nothing in it was ever seen by a satellite.

It delivers Sentinel-2-like, Sentinel-1-like and half-metre scenes of one made-up place, each on the sensor's own pixels
and marked SIMULATED, so that the whole pipeline can be shown and measured without network or account.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pyproj import Transformer

from geo.errors import ConfigurationError, InputError
from geo.grid import Grid
from geo.providers.simulator.orbits import HALF_METRE, OPTICAL, RADAR, SENSORS, passes
from geo.providers.simulator.plan import Scenario
from geo.providers.simulator.scenes import LICENCE, PIXEL_M, as_scene, deliver, scene_id
from geo.providers.simulator.truth import site_collection, truth
from geo.providers.simulator.world import build, default_grid
from geo.scene import Provenance, Query, Scene

__all__ = [
    "HALF_METRE", "OPTICAL", "RADAR", "SENSORS", "Scenario", "Simulator", "default_grid", "site_collection", "truth",
]  # fmt: skip
CREDIT = "SIMULATED, no satellite data"
HALF_METRE_MARGIN_M = 250.0
MAX_PIXELS = 40_000_000


class Simulator:
    """A provider whose satellites look at a world drawn from a seed."""

    name = "simulator"

    def __init__(
        self, scenario: Scenario | None = None, *, sensors: tuple[str, ...] = SENSORS, now: datetime | None = None
    ) -> None:
        """Look at `scenario` with `sensors`; `now` is the time of receipt to state (the scene's own where None).

        Raises:
            ConfigurationError: a sensor is unknown.
        """
        unknown = sorted(set(sensors) - set(SENSORS))
        if unknown:
            raise ConfigurationError(f"the simulator has no sensor {unknown[0]!r}; it has {', '.join(SENSORS)}.")
        self.scenario = scenario or Scenario()
        self._sensors, self._now = sensors, now

    def search(self, query: Query) -> list[Scene]:
        """Return all passes in the query's span, oldest first, whatever the weather.

        Raises:
            ConfigurationError: the query's grid does not touch the simulated world.
        """
        if query.grid is not None:
            self._bounds(query.grid)
        found = [
            as_scene(self.scenario, scene)
            for sensor in self._sensors
            for scene in passes(self.scenario, sensor)
            if (query.start is None or scene.time >= query.start) and (query.end is None or scene.time < query.end)
        ]
        return sorted(found, key=lambda s: (s.time, s.id))

    def fetch(self, scene: Scene, query: Query, folder: Path) -> tuple[Path, Provenance]:
        """Render `scene` into `folder` on the sensor's own pixels over the query's grid.

        Half-metre images are ordered for the site and its surroundings only, as such images are.

        Raises:
            InputError: the scene is not one of this scenario, or the folder cannot be written to.
            ConfigurationError: the query's grid does not touch the simulated world, or asks for too many pixels.
        """
        known = passes(self.scenario, scene.sensor) if scene.sensor in SENSORS else ()
        seen = next((p for p in known if p.time == scene.time and scene_id(self.scenario, p) == scene.id), None)
        if seen is None:
            raise InputError(f"{scene.id} is no scene of this simulated world; search it with the same seed first.")
        path = folder / f"{scene.id}.tif"
        deliver(self.scenario, seen, self._grid(query, seen.sensor), path)
        request, received = self.request(scene, query), self._now or seen.time
        return path, Provenance(provider=self.name, request=request, received=received, licence=LICENCE, credit=CREDIT)

    def request(self, scene: Scene, query: Query) -> dict[str, object]:
        """Return what `fetch` asks for: the scene, the world it is of, and the pixels wanted."""
        grid = self._grid(query, scene.sensor)
        return {
            "scene": scene.id,
            "seed": self.scenario.seed,
            "kind": self.scenario.kind,
            "crs": grid.crs,
            "bounds": [float(v) for v in grid.bounds],
            "pixel_m": PIXEL_M[scene.sensor],
        }

    def _bounds(self, grid: Grid) -> tuple[float, float, float, float]:
        """The grid's bounds in the world's UTM zone."""
        plan = build(self.scenario)
        if grid.crs is None:
            raise ConfigurationError("the simulator needs a grid with a coordinate system.")
        to_utm = Transformer.from_crs(grid.crs, self.scenario.epsg, always_xy=True)
        left, bottom, right, top = to_utm.transform_bounds(*grid.bounds)
        west, south, east, north = plan.bounds
        if not (left < east and right > west and bottom < north and top > south):
            raise ConfigurationError(
                f"the simulated world lies around {self.scenario.lon:.4f} E, {self.scenario.lat:.4f} N and the grid "
                "asked for does not touch it; scan the simulated site, or use another provider."
            )
        return left, bottom, right, top

    def _grid(self, query: Query, sensor: str) -> Grid:
        pixel = PIXEL_M[sensor]
        asked = query.grid or default_grid(self.scenario)
        left, bottom, right, top = (round(v, 6) for v in self._bounds(asked))
        if sensor == HALF_METRE:
            low_x, low_y, high_x, high_y = build(self.scenario).site.buffer(HALF_METRE_MARGIN_M).bounds
            if max(left, low_x) < min(right, high_x) and max(bottom, low_y) < min(top, high_y):
                left, bottom, right, top = max(left, low_x), max(bottom, low_y), min(right, high_x), min(top, high_y)
        grid = Grid.around((left, bottom, right, top), self.scenario.epsg, pixel)
        if grid.shape[0] * grid.shape[1] > MAX_PIXELS:
            raise ConfigurationError(
                f"the simulator draws at most {MAX_PIXELS:,} pixels at once; ask for a smaller grid."
            )
        return grid
