"""Outlines of labels."""

import numpy as np
import shapely
from affine import Affine

from geo.files.polygons import merged, outlines


def test_outlines_have_the_pixels_area_and_are_valid() -> None:
    """Every label's polygon covers its pixels, holes included, in coordinates."""
    labels = np.zeros((20, 20), np.int32)
    labels[2:8, 2:8] = 1
    labels[4:6, 4:6] = 0
    labels[10, 10] = labels[11, 11] = 2
    transform = Affine(10, 0, 1000, 0, -10, 2000)
    found = {}
    for label, polygon in outlines(labels, transform):
        found.setdefault(label, []).append(polygon)
    whole = {label: merged(parts) for label, parts in found.items()}
    assert {label: shape.area / 100 for label, shape in whole.items()} == {1: 32.0, 2: 2.0}
    assert all(shape.is_valid for shape in whole.values())
    assert whole[1].bounds == (1020.0, 1920.0, 1080.0, 1980.0)
    assert len(whole[1].interiors) == 1
    assert whole[2].geom_type == "MultiPolygon"


def test_pieces_cut_at_a_seam_become_one_without_a_scar() -> None:
    """No vertex stays where the seam was."""
    whole = merged([shapely.box(0, 0, 4, 2), shapely.box(0, 2, 4, 5)])
    assert shapely.equals(whole, shapely.box(0, 0, 4, 5))
    assert shapely.get_num_coordinates(whole) == 5
