"""Printing: papers with codes, composed from the projection.

- `travellers`: the traveller of each order
- `labels`: the labels of items, products, carriers, badges, stages, reasons and cards
- `kit`: the kit of a bench
- `fonts`: the fonts of the hub's machine
- `response`: papers as answers over HTTP
- `target`: a file, a raw printer or a queue
- `raw_printer`, `cups`: the two kinds of printer
- `shop_codes`: how the shop's stations read codes, with which each code is checked before it is printed
"""
