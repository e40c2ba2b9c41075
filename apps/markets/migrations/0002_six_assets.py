"""The assets that can be held. They are reference data: an asset's id and scale never change."""

from django.db import migrations

ASSETS = [
    (1, "USDT", "Tether", 8, 2),
    (2, "BTC", "Bitcoin", 8, 8),
    (3, "ETH", "Ether", 8, 6),
    (4, "SOL", "Solana", 8, 4),
    (5, "XRP", "XRP", 8, 2),
    (6, "DOGE", "Dogecoin", 8, 2),
]


def add_assets(apps, schema_editor):
    asset_model = apps.get_model("markets", "Asset")
    for id_, code, name, scale, display_decimals in ASSETS:
        asset_model.objects.get_or_create(
            id=id_,
            defaults={
                "code": code,
                "name": name,
                "scale": scale,
                "display_decimals": display_decimals,
            },
        )


def remove_assets(apps, schema_editor):
    # Not through the model: markets that name these assets go in the migration before.
    ids = ", ".join(str(asset[0]) for asset in ASSETS)
    schema_editor.execute(f"DELETE FROM markets_asset WHERE id IN ({ids})")  # nosec B608  # ours


class Migration(migrations.Migration):
    dependencies = [("markets", "0001_markets")]

    operations = [migrations.RunPython(add_assets, remove_assets)]
