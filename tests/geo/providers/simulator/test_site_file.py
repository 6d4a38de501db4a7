"""The simulated site's file is a site file like any other."""

import pytest

from geo.providers.simulator import Scenario, site_collection
from geo.sites import parse_site


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["centre", "control", "replant"])
def test_a_simulated_site_passes_the_door_of_real_ones(kind: str, seed: int) -> None:
    """It is strict: ids, roles, geometry, location."""
    site = parse_site(site_collection(Scenario(seed=seed, kind=kind)), file="simulated-centre.geojson")  # type: ignore[arg-type]
    assert site.location.kind == "exact"
    assert len(site.controls) >= 3
    assert (site.perimeter is not None) == (kind == "centre")
    assert bool(site.buildings) == (kind == "centre")
