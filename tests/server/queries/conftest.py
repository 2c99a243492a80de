"""These tests run on both database engines."""

import engines

engine = engines.both
