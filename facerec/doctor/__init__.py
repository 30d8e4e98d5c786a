"""Look for faults in the labels of a data set with the vectors of a model."""

from facerec.doctor.corrections import corrections_list
from facerec.doctor.examination import examine
from facerec.doctor.findings import KINDS, Correction, Examination, Finding, Group
from facerec.doctor.linking import find_links
from facerec.doctor.people import People

__all__ = [
    "KINDS",
    "Correction",
    "Examination",
    "Finding",
    "Group",
    "People",
    "corrections_list",
    "examine",
    "find_links",
]
