"""The library: grids, rasters, tiles, kernels, files and providers. It decides nothing."""
