"""Demo: a small simulated factory on this machine with ten past days and live stations.

`simulated_shop` computes the scans, `factory` reads the sample shop, `days` writes the past scans as station logs,
`station_client` sends the past, `office` makes the entries about it, `live` runs three real stations for the next scans,
`show` combines them, and `command` is `wipline-hub demo`.
"""

from server.demo.command import demo

__all__ = ["demo"]
