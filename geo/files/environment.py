"""What GDAL and PROJ may do: set once at program start, and again around every open.

`harden` must run before rasterio, pyproj or pyogrio are imported, since drivers are registered and PROJ's database
is chosen at import. `OPTIONS` go into `rasterio.Env` around each open, so that a user of the library is as safe
as one of the command line.
"""

from __future__ import annotations

from collections.abc import MutableMapping

# GDAL's block cache; `opening` lets it grow for images kept in strips.
CACHE_MB = 64

# Drivers that follow references to other files or to the network when asked for an innocent-looking local name.
SKIPPED_DRIVERS = (
    *("VRT", "GTI", "WMS", "WMTS", "WCS", "WFS", "HTTP", "PLMOSAIC", "EEDA", "EEDAI", "STACIT", "STACTA"),
    *("DERIVED", "OGR_VRT", "CSW", "OAPIF", "OGCAPI", "PDF", "NITF"),
)

OPTIONS: dict[str, str | int] = {
    # A stray .aux.xml, .tfw, .ovr or .msk must not change what a hashed file says.
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_HTTP_TIMEOUT": "30",
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_LOW_SPEED_TIME": "30",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1000",
    "GDAL_HTTP_MAX_RETRY": "2",
    "GDAL_HTTP_UNSAFESSL": "NO",
    "GDAL_CACHEMAX": CACHE_MB * 2**20,  # bytes in both worlds: GDAL takes large numbers as such
    "GDAL_NUM_THREADS": "1",
}

# Data files and plug-ins of another GDAL or PROJ on this machine: our wheels bring their own.
_FOREIGN = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "PROJ_NETWORK", "GDAL_VRT_PYTHON_TRUSTED_MODULES", "CPL_DEBUG")


def harden(environ: MutableMapping[str, str]) -> tuple[str, ...]:
    """Set what GDAL and PROJ may do in `environ`, and drop what belongs to another installation of them.

    Call it with `os.environ` before anything imports rasterio, pyproj or pyogrio.

    Args:
        environ: environment variables, changed in place.

    Returns:
        The names of the variables that were dropped, for `doctor` to tell.

    >>> environ = {"PROJ_DATA": "/usr/share/proj", "HOME": "/home/ana"}
    >>> harden(environ)
    ('PROJ_DATA',)
    >>> environ["GDAL_PAM_ENABLED"], environ["HOME"]
    ('NO', '/home/ana')
    """
    dropped = tuple(name for name in _FOREIGN if environ.pop(name, None) is not None)
    environ.update({name: str(value) for name, value in OPTIONS.items()})
    environ["GDAL_SKIP"] = ",".join(SKIPPED_DRIVERS)
    environ["GDAL_DRIVER_PATH"] = "disable"
    return dropped
