"""Pictures and tables of what a run did."""

from facerec.report.crops import CropGrid
from facerec.report.curves import draw_curves
from facerec.report.table import print_table

__all__ = ["CropGrid", "draw_curves", "print_table"]
