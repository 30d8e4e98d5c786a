"""Names of the people in a photo, in XMP: regions as MWG and Microsoft have them, and IPTC's `PersonInImage`."""

from facerec.recognition.xmp.area import Area, area_of, pair_up
from facerec.recognition.xmp.people import NamedPeople, read_people, write_people
from facerec.recognition.xmp.sidecar import sidecar_of

__all__ = ["Area", "NamedPeople", "area_of", "pair_up", "read_people", "sidecar_of", "write_people"]
