"""One peer on one stack, in an environment of its own: `python series_peers.py PEER STACK.npz`; prints JSON.

The stack holds y (time, row, col) in reflectance-like units, days (days since 1970), history (days before it are known
to be stable). Peers run at their defaults, as their documentation shows them: nrt monitors fit on the history, COLD
walks the whole series of each pixel.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np


def nrt(name, y, days, history):
    import importlib
    import warnings

    import xarray as xr

    warnings.simplefilter("ignore")
    module, kind, options = {
        "nrt_iqr": ("iqr", "IQR", {}),
        "nrt_ewma": ("ewma", "EWMA", {"lambda_": 0.3, "sensitivity": 3}),
        "nrt_mosum": ("mosum", "MoSum", {}),
        "nrt_cusum": ("cusum", "CuSum", {}),
    }[name]
    monitor = getattr(importlib.import_module(f"nrt.monitor.{module}"), kind)
    dates = np.datetime64("1970-01-01") + days.astype("timedelta64[D]")
    cube = xr.DataArray(y, dims=("time", "y", "x"), coords={"time": dates.astype("datetime64[ns]")})
    past = days < history

    def run(data):
        watch = monitor(trend=False, harmonic_order=1 if y.shape[0] < 100 else 2, **options)
        watch.fit(dataarray=data[past])
        for i in np.flatnonzero(~past):
            watch.monitor(array=data.values[i], date=dates[i].astype("datetime64[s]").astype(object))
        return np.maximum(watch.detection_date.astype(float), 0)

    run(cube[:, :4, :4])  # compiled before the clock starts
    start = time.perf_counter()
    found = run(cube)
    return found, time.perf_counter() - start


def cold(_, y, days, history):
    from pyxccd import cold_detect_flex

    base = 719_163  # ordinal of 1970-01-01
    flat = y.reshape(len(y), -1)
    found = np.zeros(flat.shape[1])
    start = time.perf_counter()
    for p in range(flat.shape[1]):
        seen = np.isfinite(flat[:, p])
        day = (days[seen] + base).astype(np.int64)
        values = (flat[seen, p : p + 1] * 10_000).astype(np.int64)
        try:
            rows = cold_detect_flex(
                day, values, np.zeros(len(day), np.int64), 20, p_cg=0.99, conse=4, tmask_b1_index=1, tmask_b2_index=1
            )
        except RuntimeError:  # too few observations
            continue
        breaks = [r["t_break"] for r in np.atleast_1d(rows) if r["change_prob"] == 100]
        later = [b - base for b in breaks if b - base >= history or history < 0]
        found[p] = later[0] if later else 0
    return found.reshape(y.shape[1:]), time.perf_counter() - start


if __name__ == "__main__":
    peer = sys.argv[1]
    with np.load(sys.argv[2]) as stack:
        result, seconds = (cold if peer == "cold" else nrt)(peer, stack["y"], stack["days"], float(stack["history"]))
    print(json.dumps({"seconds": seconds, "found": result.ravel().tolist()}))
