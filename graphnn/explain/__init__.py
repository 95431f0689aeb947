"""Which vertices matter: importance of hidden vertices in trained networks. May import what `evaluate` may, and it."""
