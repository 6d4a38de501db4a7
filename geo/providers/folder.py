"""Provider `folder`: imagery given by hand, one GeoTIFF a date."""
