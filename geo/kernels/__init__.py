"""Arithmetic on plain arrays.

Arrays in, arrays (or a small NamedTuple) out; axes are (band, row, col) or (time, band, row, col); NaN means that
there is no honest observation. No kernel writes into its input, opens a file or knows where on Earth a pixel lies.
"""
