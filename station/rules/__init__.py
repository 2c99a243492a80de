"""Shop rules at the station: the hub's last snapshot and the advice it gives for a scan."""
