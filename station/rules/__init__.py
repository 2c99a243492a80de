"""Shop rules at the station: advice to the operator for a scan, computed from the hub's last snapshot."""
