"""Demo: a small simulated factory on this machine with ten past days and live stations.

`simulated_shop` computes the scans, `factory` reads the sample shop, `days` writes the past scans as station logs, `live`
runs three real stations for the next scans, `station_client` sends the past, `show` combines them, and `command` is
`wipline-hub demo`.
"""

from server.demo.command import demo

__all__ = ["demo"]
