"""The same bytes come out whatever the work was cut into, whoever did it, and in what order the scenes came."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.soak import many
from runs import files_of, sitewatch
from seriesworld import Story, write_images, write_site

from geo.providers.folder import Folder
from geo.scene import Query, Scene
from pipelines.detect import series

TILES = (16, 48, 100, 128, 512)
WORKERS = (1, 2, 4)


def ways() -> list[tuple[int, int]]:
    """Tile sizes and worker counts: each of both at least once, all pairs in the soak."""
    few = [(tile, WORKERS[index % 3]) for index, tile in enumerate(TILES)]
    return many(few, [(tile, workers) for tile in TILES for workers in WORKERS])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("words", [(), ("--pair",)])
def test_neither_tiles_nor_workers_nor_order_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Archive, runs, review file and log, every byte, for a series and for a pair."""
    images = write_images(tmp_path / "images", Story(clearing=6, building=9, dates=14, clouds=(3,)))
    search = Folder.search
    made: dict[tuple[int, int], dict[str, bytes]] = {}
    for number, (tile, workers) in enumerate(ways()):

        def shuffled(self: Folder, query: Query, rng: random.Random = random.Random(number)) -> Iterator[Scene]:  # noqa: B008
            found = list(search(self, query))
            rng.shuffle(found)
            return iter(found)

        monkeypatch.setattr(Folder, "search", shuffled)
        monkeypatch.setattr(series, "_tile_px", lambda _times, _bands, tile=tile: tile)
        workspace = tmp_path / f"w-{number}"
        sitewatch("init", workspace)
        write_site(workspace, perimeter=True)
        (workspace / "sitewatch.toml").write_text(
            f"workers = {workers}\n[detect]\ntile_px = {tile}\n[publish]\nfigure_dpi = 72\n"
        )
        assert sitewatch("scan", "wood", "-w", workspace, "--source", images, *words).code == 0
        made[tile, workers] = {
            name: data
            for name, data in files_of(workspace / "outputs").items()
            if name.startswith(("archive", "runs", "review", "chain.log"))
        }
    first = next(iter(made.values()))
    assert len(first) > 25
    for way, files in made.items():
        assert [name for name in {*files, *first} if files.get(name) != first.get(name)] == [], way
