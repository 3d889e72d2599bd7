"""What is true of every test: properties are tried on the same examples every time, as slowly as the machine needs."""

from hypothesis import HealthCheck, settings

settings.register_profile("mats", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mats")
