"""Tables, charts and pages that show what a run or an evaluation gave."""

from facerec.report.curves import draw_curves
from facerec.report.ensemble import log_ensemble
from facerec.report.page import state_thresholds
from facerec.report.table import show_table, show_weights

__all__ = ["draw_curves", "log_ensemble", "show_table", "show_weights", "state_thresholds"]
