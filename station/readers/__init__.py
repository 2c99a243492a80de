"""Reader supervision: detection, enrolment, one thread per reader, and what is known about each reader."""
