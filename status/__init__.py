"""What the public, partners and operators see: the API under ``/api/v1`` and the pages, around a board."""
