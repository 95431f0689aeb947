"""The acyclic-flow mixed integer program, written once as sparse arrays, for any back end."""
