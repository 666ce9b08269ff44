"""Algorithms that several attacks share: pieces, seams, assembly, unmixing. No torch."""
