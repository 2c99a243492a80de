"""Operating-system services that station and hub share: clocks, file locks, folder flushes, the version.

These modules import nothing else of ours, so that both sides may stand on them (ADR 14).
"""
