"""to be written"""
ROWS = ()
