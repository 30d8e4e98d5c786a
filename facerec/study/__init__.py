"""The sequence of a study, the layout of its folders, its best runs and their freshness."""
