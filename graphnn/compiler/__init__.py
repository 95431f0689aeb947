"""From an acyclic network to a Keras model: layering, layers, model and bundle.

May import `graphnn.errors`, `graphnn.graph` and `graphnn.extract.dag`. `plan`, `options` and `initial` are NumPy only;
Keras enters through `backend` alone.
"""
