"""Settings of all tests that draw examples: a busy machine draws slowly, and an example has no time limit."""

from hypothesis import HealthCheck, settings

settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
