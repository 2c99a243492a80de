"""Authentication and authorisation: accounts, devices, passwords, roles and the gate before every address."""
