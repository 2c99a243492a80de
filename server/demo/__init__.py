"""Demo: a small simulated factory on this machine with two closed months, ten past days and live stations.

`simulated_shop` computes the scans, `factory` reads the sample shop, `days` writes the past scans as station logs,
`station_client` sends the past, `months` adds earlier orders and two closed months, `stock_count` a count, `office` makes
the other entries, `live` runs three real stations for the next scans, `show` combines them, `command` is the command.
"""

from server.demo.command import demo

__all__ = ["demo"]
