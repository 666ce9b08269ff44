"""Try settings on an owner's own photos, and advise one of them, or none."""
