"""The commands of c1m-coord, a file each: what a person writes, read into settings; what is told, written out."""
