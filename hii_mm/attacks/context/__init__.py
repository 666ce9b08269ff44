"""A network that sees all pieces of a picture at once and scores which are neighbours."""
