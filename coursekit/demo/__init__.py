"""An example class that goes through the whole loop, and whose results are known beforehand."""
