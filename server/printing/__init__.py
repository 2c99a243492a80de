"""Printing: papers with codes, composed from the projection.

- `travellers`: the traveller of each order
- `shop_codes`: how the shop's stations read codes, with which each code is checked before it is printed
"""
