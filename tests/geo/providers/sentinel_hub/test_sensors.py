"""The scripts that the service runs: tried here in a JavaScript of our own, number by number."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest

from geo.providers.sentinel_hub.sensors import LANDSAT, OPTICAL, RADAR, SENSORS, Sensor

NODE = shutil.which("node") or shutil.which("nodejs")


def evaluated(sensor: Sensor, samples: list[dict[str, float]]) -> tuple[dict[str, object], list[list[float]]]:
    if NODE is None:
        pytest.skip("there is no JavaScript (node) on this machine")
    program = f"{sensor.evalscript}\nconst given = JSON.parse(require('fs').readFileSync(0));\n"
    program += "console.log(JSON.stringify([setup(), given.map(evaluatePixel)]));"
    done = subprocess.run([NODE, "-e", program], input=json.dumps(samples), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    setup, numbers = json.loads(done.stdout)
    return setup, numbers


@pytest.mark.parametrize("sensor", SENSORS.values(), ids=SENSORS)
def test_a_script_asks_for_its_bands_and_returns_them_in_order(sensor: Sensor) -> None:
    setup, (numbers,) = evaluated(sensor, [{band: n + 1 for n, band in enumerate((*sensor.asked, "dataMask"))}])
    assert setup["input"][0]["bands"] == [*sensor.asked, "dataMask"]  # type: ignore[index]
    assert setup["output"] == {"bands": len(numbers), "sampleType": sensor.dtype.upper()}
    assert len(numbers) == len(sensor.kept) + 1
    if sensor is not LANDSAT:
        assert numbers == list(range(1, len(numbers) + 1))


def test_landsats_own_numbers_come_back_exactly() -> None:
    """Every number that a band can hold, through a 32-bit reflectance and back."""
    stored = np.arange(65536)
    reflectance = (stored * 2.75e-5 - 0.2).astype(np.float32).astype(float)
    _, numbers = evaluated(LANDSAT, [dict.fromkeys((*LANDSAT.asked, "dataMask"), float(r)) for r in reflectance])
    assert np.array_equal(np.array(numbers)[:, 0], stored)
    assert stored[1] * LANDSAT.scale + LANDSAT.offset == pytest.approx(reflectance[1], abs=1e-7)


def test_names_are_those_that_the_rest_of_the_project_reads() -> None:
    assert OPTICAL.kept[-1] == "SCL"
    assert RADAR.kept == ("vv", "vh")
    assert LANDSAT.kept[-1] == "QA_PIXEL"
