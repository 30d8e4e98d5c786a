"""Crops of a data set: journal, manifest."""
