"""`rlbench data`: which data sets and assets are on this machine."""

from __future__ import annotations

import click

from rlbench.cli.output import columns, json_out, say
from rlbench.core.assets import AssetInfo, cache_folder, list_assets
from rlbench.core.data import DataStore
from rlbench.core.errors import CorruptError, ExitCode, RlbenchError
from rlbench.core.registry import Registry


@click.group()
def data() -> None:
    """Data sets that tasks read, and assets that trials share."""


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def list_(as_json: bool) -> None:
    """List the declared data sets (here or not) and the assets in the cache."""
    registry = Registry.load()
    store = DataStore(registry.data)
    sets = {name: store.missing(name) for name in sorted(registry.data)}
    assets = list(list_assets(cache_folder()))
    if as_json:
        rows = [{"name": name, "missing": why} for name, why in sets.items()]
        json_out({"data": rows, "assets": [_asset_json(asset) for asset in assets]})
        return
    lines = [
        [f"  {name}", "absent" if why else "here", registry.data[name].licence]
        for name, why in sets.items()
    ]
    click.echo(f"data sets\n{columns(lines)}")
    size = sum(asset.bytes for asset in assets) / 1e6
    click.echo(f"\nassets: {len(assets)} in {cache_folder()}, {size:.1f} MB")
    kinds = sorted({asset.kind for asset in assets})
    counts = [[f"  {kind}", str(sum(asset.kind == kind for asset in assets))] for kind in kinds]
    click.echo(columns(counts))


def _asset_json(asset: AssetInfo) -> dict[str, object]:
    return {
        "kind": asset.kind,
        "key": asset.key,
        "seed": asset.seed,
        "params": dict(asset.params),
        "bytes": asset.bytes,
    }


@data.command()
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> int:
    """Check the files of data sets (default: all that are here) against their checksums."""
    registry = Registry.load()
    store = DataStore(registry.data)
    here = names or tuple(name for name in sorted(registry.data) if not store.missing(name))
    code = ExitCode.OK
    for name in here:
        try:
            store.get(name)
            say(f"{name}: as declared")
        except CorruptError as error:
            say(str(error))
            code = ExitCode.NEGATIVE
        except RlbenchError as error:
            say(str(error))
            code = error.exit_code
    return code
